"""How is a request's body read? Bounded in bytes and in time, however it is chunked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import ClientDisconnect, Request

from services.http.problem import Refuse

MAX_BYTES = 1_048_576
READ_SECONDS = 30.0


def size_of(request: Request, most: int = MAX_BYTES) -> int:
    """How many bytes the body may take, if it does not say that it is too large."""
    declared = request.headers.get("content-length", "")
    if not declared.isdecimal():
        return most
    if int(declared[:20]) > most:
        raise _too_large(most)
    return int(declared)


async def read_body(
    request: Request, most: int = MAX_BYTES, arrived: Callable[[int], None] = lambda _: None
) -> bytes:
    """The whole body, if it is small enough and comes in time.

    `arrived` hears of each part's bytes before the next part is read, and may refuse them.
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
