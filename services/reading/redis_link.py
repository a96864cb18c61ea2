"""A pipelined Redis client: many requests share one connection.

Replies arrive in the order of the commands. A late or unreadable reply closes the connection and
fails all requests that wait for it; the next request opens another connection. An error that Redis
replies fails only its request. Nothing is retried.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Any, cast

import hiredis

from services.reading.redis_url import address_of

CLIENT_NAME = "hitotsu-api"


class RedisUnreachable(Exception):
    """Redis cannot be reached, is late, or answers an error; the text says which."""


def command(*words: str) -> bytes:
    """A command encoded in the Redis protocol (RESP)."""
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        raw = word.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


class Channel(asyncio.Protocol):
    """A connection to Redis: sends the commands of requests, returns each one's last reply.

    `patience`: seconds after which a request without reply closes the connection.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(encoding="utf-8", errors="strict")
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._missing: deque[int] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        return self._transport is not None

    def ask(self, commands: bytes, replies: int) -> asyncio.Future[Any]:
        """Sends commands; the future gets the last of their `replies` replies.

        It fails with `RedisUnreachable` if that reply is an error, or the connection ends.
        """
        assert self._transport is not None
        future: asyncio.Future[Any] = self._loop.create_future()
        now = self._loop.time()
        self._waiting.append((now, future))
        self._missing.append(replies)
        if self._watch is None:
            self._watch = self._loop.call_at(now + self._patience, self._look)
        self._transport.write(commands)
        return future

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                self._answer(reply)
        except (hiredis.ProtocolError, UnicodeDecodeError, IndexError) as error:
            self.end(type(error).__name__)

    def connection_lost(self, error: Exception | None) -> None:
        self.end("connection lost")

    def end(self, reason: str) -> None:
        """Closes the connection at once; waiting requests fail with `reason`."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        waiting = [future for _, future in self._waiting]
        self._waiting.clear()
        self._missing.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(RedisUnreachable(reason))

    def _answer(self, reply: Any) -> None:
        self._missing[0] -= 1
        if self._missing[0]:
            return
        self._missing.popleft()
        _, future = self._waiting.popleft()
        if future.done():
            return  # the request was cancelled
        if isinstance(reply, hiredis.ReplyError):
            future.set_exception(RedisUnreachable(str(reply).partition(" ")[0]))
        else:
            future.set_result(reply)

    def _look(self) -> None:
        """Ends the connection if the oldest request has waited too long; else sets the timer
        again. A single timer suffices, since replies come in order.
        """
        self._watch = None
        if not self._waiting:
            return
        due = self._waiting[0][0] + self._patience
        if due <= self._loop.time():
            self.end("no answer in time")
        else:
            self._watch = self._loop.call_at(due, self._look)


class Link:
    """The connection to a server, opened on demand. `patience`: seconds to wait for a reply."""

    def __init__(self, url: str, connect_seconds: float, patience: float) -> None:
        self._place = address_of(url)
        self._connect_seconds, self._patience = connect_seconds, patience
        self._channel: Channel | None = None
        self._opening: asyncio.Task[Channel] | None = None

    async def ask(self, commands: bytes, replies: int) -> Any:
        """Sends commands, which get `replies` replies; returns the last one.

        Raises `RedisUnreachable`.
        """
        channel = self._channel
        if channel is None or not channel.open:
            channel = await self._opened()
        if not channel.open:
            raise RedisUnreachable("connection lost")
        return await channel.ask(commands, replies)

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._channel is not None:
            self._channel.end("closed")

    async def _opened(self) -> Channel:
        """The open connection; concurrent callers share one attempt to connect."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.ensure_future(self._connect())
            # retrieve the exception, or asyncio logs it if no caller waits any more
            self._opening.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._opening)

    async def _connect(self) -> Channel:
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, channel = await self._connection()
        except (OSError, TimeoutError) as error:
            raise RedisUnreachable(type(error).__name__) from error
        try:
            for greeting in self._greetings():
                await channel.ask(greeting, 1)
        except RedisUnreachable:
            channel.end("refused")
            raise
        self._channel = channel
        return channel

    async def _connection(self) -> tuple[Any, Channel]:
        loop, place = asyncio.get_running_loop(), self._place

        def made() -> Channel:
            return Channel(self._patience)

        if place.path is not None:
            return await loop.create_unix_connection(made, place.path)
        secure = ssl.create_default_context() if place.secure else None
        return await loop.create_connection(made, place.host, place.port, ssl=secure)

    def _greetings(self) -> list[bytes]:
        place = self._place
        said = []
        if place.password is not None:
            who = [] if place.username is None else [place.username]
            said.append(command("AUTH", *who, place.password))
        if place.db:
            said.append(command("SELECT", str(place.db)))
        return [*said, command("CLIENT", "SETNAME", CLIENT_NAME)]
