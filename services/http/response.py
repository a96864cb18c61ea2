"""Sends a response's head and body in one write, since each write wakes the client.

A response whose body is known goes straight to the connection (`send_response`). Any other one
takes the two messages of ASGI, and what the server does for each.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from functools import partial
from typing import Any, cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

from services.http.heads import BoundedHeads

_HEAD = b"HTTP/1.1 "
# in the scope's `extensions`: writes a response at once, or says that it cannot
WRITE = "hitotsu.write"
# with a body of their own rules, or none
_PLAIN = frozenset(range(200, 600)) - {204, 304}
_CONNECTION = frozenset({b"connection", b"transfer-encoding"})
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_names: set[bytes] = set()  # of headers that were looked at before
_MOST_NAMES = 100


async def send_response(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a response in one write where server and response allow it, else as ASGI wants it."""
    write = scope.get("extensions", {}).get(WRITE)
    if write is None or type(response).__call__ is not Response.__call__ or not write(response):
        await response(scope, receive, send)
    elif response.background is not None:
        await response.background()


def write_response(cycle: RequestResponseCycle, response: Response) -> bool:
    """Writes head and body, and ends the request; False, and nothing written, where it must not.

    That is: HEAD, a status without body, a peer that reads slowly, headers that cannot be sent or
    say something of the connection.
    """
    if (
        cycle.flow.write_paused
        or cycle.response_started
        or response.status_code not in _PLAIN
        or cycle.scope["method"] == "HEAD"
    ):
        return False
    body, length = response.body, -1
    lines = [STATUS_LINE[response.status_code]]
    for name, value in (*cycle.default_headers, *response.raw_headers):
        if name == b"content-length":
            length = int(value)
        elif name not in _names and not _known(name):
            return False
        lines += (name, b": ", value, b"\r\n")
    if length != len(body):
        return False
    if not cycle.keep_alive:
        lines.append(b"connection: close\r\n")
    lines.append(b"\r\n")
    head = b"".join(lines)
    ends = len(lines) // 4 + 2 + (not cycle.keep_alive)
    # a value with an end of line in it would be a header of its own
    if head.count(b"\n") != ends or head.count(b"\r") != ends or _CONTROL.search(head):
        return False
    cycle.response_started = cycle.response_complete = True
    if cycle.disconnected:
        return True
    cycle.waiting_for_100_continue = False
    cast(OneWrite, cycle.transport).write_whole(b"".join((head, body)))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


def _known(name: bytes) -> bool:
    """Whether a header can be written as it is; the answer is remembered, names are few."""
    if name in _CONNECTION or name != name.lower() or HEADER_RE.search(name):
        return False
    if len(_names) < _MOST_NAMES:
        _names.add(name)
    return True


class JsonText(Response):
    """JSON that is ready to be sent; `headers`: names in lower case, and values."""

    def __init__(self, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.status_code, self.background, self.body = 200, None, body
        length = (b"content-length", b"%d" % len(body))
        self.raw_headers = [*headers, length, (b"content-type", b"application/json")]


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

    def write_whole(self, data: bytes) -> None:
        """Writes a response of which no more follows."""
        head, self._head = self._head, b""  # it may be that of `100 Continue`
        self._transport.write(head + data if head else data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)


class OneWriteProtocol(BoundedHeads):
    """The protocol class of every service; it hands `write_response` to the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, OneWrite(transport)))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # the server's own place for it is the scope, which it makes without extensions
        cast(Scope, cycle.scope)["extensions"] = {WRITE: partial(write_response, cycle)}
        super()._start_asgi_task(cycle, app)
