"""Sends a response's head and body in one write, since each write wakes the client."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from services.http.heads import BoundedHeads

_HEAD = b"HTTP/1.1 "


class OneWrite:
    """A transport that holds a head back for the body that follows in the same loop iteration."""

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


class OneWriteProtocol(BoundedHeads):
    """The protocol class of every service; uvicorn alone writes head and body separately."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, OneWrite(transport)))
