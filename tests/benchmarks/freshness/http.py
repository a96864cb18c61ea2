"""How is a web server asked at the least cost? Keep-alive, one request at a time a connection.

The load shares its two cores with what it measures, so the client must not count.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from httptools import HttpResponseParser


class Connection(asyncio.Protocol):
    """`await ask(request)` gives back status and body."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._parser = HttpResponseParser(self)
        self._body: list[bytes] = []

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """One request, as bytes."""
        assert self._transport is not None
        assert self._answer is None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the server closed"))

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        answer, self._answer = self._answer, None
        body, status = b"".join(self._body), self._parser.get_status_code()
        self._body, self._parser = [], HttpResponseParser(self)
        if answer is not None:
            answer.set_result((status, body))


async def connect(url: str) -> Connection:
    """An open connection."""
    place = urlsplit(url)
    loop = asyncio.get_running_loop()
    _, made = await loop.create_connection(Connection, place.hostname, place.port)
    return made


def request(method: str, url: str, path: str, token: str, body: Any = None, **more: str) -> bytes:
    """A whole request; a body goes as JSON; `more` headers, with _ for -."""
    content = b"" if body is None else json.dumps(body).encode()
    headers: Mapping[str, object] = {
        "Host": urlsplit(url).netloc, "Authorization": f"Bearer {token}",
        "Content-Type": "application/json", "Content-Length": len(content),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }  # fmt: skip
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + content
