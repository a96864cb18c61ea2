"""Sends a response's head and body in one write, since every write wakes the client.

A response with a complete body is written directly to the connection (`send_response`). Any other
is sent by the two messages of ASGI.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from functools import partial
from typing import Any, cast
from weakref import ref

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

from services.http.heads import BoundedHeads

_HEAD = b"HTTP/1.1 "
# the key in the scope's `extensions` of the function that writes a response in one write
WRITE = "hitotsu.write"
# statuses whose responses have a body; 204 and 304 have none
_PLAIN = frozenset(range(200, 600)) - {204, 304}
_CONNECTION = frozenset({b"connection", b"transfer-encoding"})
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_names: set[bytes] = set()  # header names that can be written unchanged
_MOST_NAMES = 100


async def send_response(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a response in one write if server and response allow it, else by ASGI messages."""
    write = scope.get("extensions", {}).get(WRITE)
    if write is None or type(response).__call__ is not Response.__call__ or not write(response):
        await response(scope, receive, send)
    elif response.background is not None:
        await response.background()


def write_response(request: ref[RequestResponseCycle], response: Response) -> bool:
    """Writes head and body and ends the request; or writes nothing and returns False.

    It returns False for HEAD, a status without body, a client that reads slowly, invalid headers,
    headers about the connection, a Content-Length that is missing or wrong, and a request whose
    response has begun or that has ended. If the client has disconnected, it returns True and writes
    nothing.
    """
    cycle = request()
    if (
        cycle is None
        or cycle.flow.write_paused
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
    # a value that contains a line end would inject a header
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
    """Whether a header of this name can be written unchanged; remembers up to a hundred names."""
    if name in _CONNECTION or name != name.lower() or HEADER_RE.search(name):
        return False
    if len(_names) < _MOST_NAMES:
        _names.add(name)
    return True


class JsonText(Response):
    """A response of serialised JSON; `headers`: (name in lower case, value)."""

    def __init__(self, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.status_code, self.background, self.body = 200, None, body
        length = (b"content-length", b"%d" % len(body))
        self.raw_headers = [*headers, length, (b"content-type", b"application/json")]


class OneWrite:
    """A transport that delays a head, to write it with the body of the same loop iteration."""

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
            self._loop.call_soon(self._flush)  # the body may come later, or never
        else:
            self._transport.write(data)

    def write_whole(self, data: bytes) -> None:
        """Writes a complete response."""
        head, self._head = self._head, b""  # may be the head of `100 Continue`
        self._transport.write(head + data if head else data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)


class OneWriteProtocol(BoundedHeads):
    """The protocol class of every process; passes `write_response` to the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, OneWrite(transport)))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # uvicorn creates the scope without extensions. The reference is weak: with a cycle through
        # the scope, ended requests would wait for the garbage collector, and its pause for some
        # thousands of them is longer than any read.
        cast(Scope, cycle.scope)["extensions"] = {WRITE: partial(write_response, ref(cycle))}
        super()._start_asgi_task(cycle, app)
