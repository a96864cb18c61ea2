"""How does an answer leave? Head and body in one write: each write wakes whoever waits for it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from services.http.heads import BoundedHeads

_HEAD = b"HTTP/1.1 "


class OneWrite:
    """A transport that keeps a head for the body that follows it in the same turn of the loop."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head + data)
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._flush)  # there may be no body, or a late one
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)


class Answered(BoundedHeads):
    """The protocol of every service; uvicorn writes head and body one after the other."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, OneWrite(transport)))
