"""Limits a request's head (request line and headers) to 64 KB and 10 seconds.

The HTTP parser has no limit: a client could send an endless head and use up memory without a token.
"""

from __future__ import annotations

import asyncio
import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.http.problem_type import BY_STATUS, PROBLEM_JSON

HEAD_BYTES = 65_536
HEAD_SECONDS = 10.0
# How long a body may go on after its request was answered. The connection is not closed at once: a
# close while bytes arrive may reset it, and the client would not get the answer.
UNREAD_SECONDS = 10.0
_REFUSED = {
    408: ("Request Timeout", f"The head did not arrive within {HEAD_SECONDS:g} seconds."),
    431: ("Request Header Fields Too Large", f"A head may hold at most {HEAD_BYTES} bytes."),
}


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with limits for heads.

    Trailers and chunk headers are limited too. Empty lines before a request are ignored (RFC 9112,
    section 2.2); they do not start a head.
    """

    _in_body = False
    _head_bytes = 0  # bytes of the head that is arriving
    _framing_bytes = 0  # bytes since the end of the head that are not body
    _blank_bytes = 0  # bytes of empty lines since the last request
    _head_timer: asyncio.TimerHandle | None = None
    _unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_unread_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        while data and not self.transport.is_closing():
            if self._in_body:
                part = data[:HEAD_BYTES]
                self._framing_bytes += len(part)
                super().data_received(part)
                if self._in_body and self._framing_bytes > HEAD_BYTES:
                    self._refuse(431)
            elif not self._head_bytes and data[0] in b"\r\n":
                part = data[: len(data) - len(data.lstrip(b"\r\n"))]
                # not parsed, so that the connection still counts as idle
                self._blank_bytes += len(part)
                if self._blank_bytes > HEAD_BYTES:
                    self._refuse(431)
            else:
                part = data[: HEAD_BYTES - self._head_bytes]
                self._head_bytes += len(part)
                super().data_received(part)
                if self._head_bytes >= HEAD_BYTES:
                    self._refuse(431)
                elif self._head_bytes and self._head_timer is None:
                    self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)
            data = data[len(part) :]

    def on_message_begin(self) -> None:
        # 0 if the head begins in the bytes with which the request before it ended
        self._head_bytes = max(1, self._head_bytes)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_body, self._head_bytes, self._framing_bytes = True, 0, 0
        self._blank_bytes = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        # a chunk of one byte is sent with its length and two line ends
        self._framing_bytes = max(0, self._framing_bytes - 16 * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body, self._head_bytes = False, 0
        self._stop_unread_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # with pipelining, the body that arrives may belong to the next request
        if self._in_body and self.cycle is not None and self.cycle.response_complete:
            self._unread_timer = self.loop.call_later(UNREAD_SECONDS, self._end_unread)

    def _end_unread(self) -> None:
        self._unread_timer = None
        self.transport.close()

    def _stop_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)
        elif self._head_bytes:
            self._refuse(408)
        else:
            self.transport.close()  # no request was ever sent on this connection

    def _refuse(self, status: int) -> None:
        """Sends the error, unless an answer is being sent, and closes the connection."""
        self._stop_timer()
        if self.cycle is None or self.cycle.response_complete:
            title, detail = _REFUSED[status]
            problem = {"type": BY_STATUS[status].uri, "title": title, "status": status}
            body = json.dumps({**problem, "detail": detail})
            self.transport.write(
                f"HTTP/1.1 {status} {title}\r\ncontent-type: {PROBLEM_JSON}\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()
            )
        self.transport.close()
