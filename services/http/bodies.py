"""Reads a request's body, limited in bytes and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request

from services.http.problem import Refuse

MAX_BYTES = 1_048_576
READ_SECONDS = 30.0


def size_of(request: Request, most: int = MAX_BYTES) -> int:
    """The Content-Length, or `most` without one; refuses (413) when it is greater than `most`."""
    declared = request.headers.get("content-length", "")
    if not declared.isdecimal():
        return most
    if int(declared[:20]) > most:
        raise _too_large(most)
    return int(declared)


async def read_body(
    request: Request, most: int = MAX_BYTES, arrived: Callable[[int], None] = lambda _: None
) -> bytes:
    """The whole body; raises a refusal: 413 (too large), 408 (too slow), 400 (connection lost).

    `arrived` is called with the size of every part, in bytes, and may raise a refusal.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise _too_large(most)
                arrived(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        detail = f"The body did not arrive within {READ_SECONDS:g} seconds."
        raise Refuse(408, "Request Timeout", detail) from None
    except ClientDisconnect:
        raise Refuse(400, "Bad Request", "The body ended early.") from None
    return b"".join(chunks)


def _too_large(most: int) -> Refuse:
    return Refuse(413, "Content Too Large", f"A body may hold at most {most} bytes.")
