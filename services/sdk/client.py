"""The SDK's clients: a blocking one and an asynchronous one."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections.abc import Iterable
from typing import Any, Self

import httpx

from services.sdk.buffer import Buffer
from services.sdk.clocks import Clocks
from services.sdk.delivery import GatewayLine, GatewayReply, Pause, Post, Sendable, Talk
from services.sdk.results import Problem, Results, Unreachable

_TIMEOUT = httpx.Timeout(15.0, connect=3.0)


def _options(base_url: str, token: str) -> dict[str, Any]:
    """Options of the HTTP client. Raises ValueError for an invalid URL, which would look like an
    outage.
    """
    url = httpx.URL(base_url)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("base_url: must begin with http:// or https:// and have a host")
    headers = {"Authorization": f"Bearer {_checked(token)}", "User-Agent": "hitotsu-sdk"}
    # trust_env off: a till's line to its own gateway goes through no proxy of the environment.
    return {"base_url": base_url, "headers": headers, "timeout": _TIMEOUT, "trust_env": False}


def _checked(token: str) -> str:
    """The token without surrounding white space; errors never quote it."""
    bare = token.strip()
    if not bare:
        raise ValueError("token: is empty")
    if not all("!" <= letter <= "~" for letter in bare):
        raise ValueError("token: must contain only visible ASCII characters and no spaces")
    return bare


def _reply(response: httpx.Response) -> GatewayReply:
    return GatewayReply(response.status_code, response.content, response.headers.get("retry-after"))


def _key_of(response: httpx.Response) -> bytes:
    if response.status_code != 200:
        raise Problem.read(response.status_code, response.content)
    return base64.b64decode(response.json()["public_key"])


def _advance(talk: Talk, reply: GatewayReply | None) -> tuple[bool, Any]:
    try:
        return False, talk.send(reply)
    except StopIteration as done:
        return True, done.value


class Client:
    """Sends events. Thread-safe: calls of `send` and `flush` wait for each other.

    With a buffer, a send to an unreachable gateway makes at most one attempt (3 s to connect, 15 s
    for an answer), and none shortly after a failed one.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        buffer: Buffer | None = None,
        *,
        validate: bool = True,
        patience: float = 60.0,
        clocks: Clocks | None = None,
    ) -> None:
        """`patience`: seconds until a send without a buffer raises `Unreachable`.

        `validate`: check events before sending. `clocks`: of the machine that stamped the events;
        None: this machine's. Raises ValueError for an invalid `base_url` or `token`.
        """
        self._http = httpx.Client(**_options(base_url, token))
        self._line = GatewayLine(buffer, validate, patience, clocks=clocks or Clocks())
        self._one_at_a_time = threading.Lock()

    def send(self, events: Iterable[Sendable]) -> Results:
        """Sends events in order; returns a result for each.

        Raises `Problem` if the gateway refuses a whole request; without a buffer `Unreachable`,
        with a buffer `BufferFull`.
        """
        results: Results = self._hold(self._line.send(events))
        return results

    def flush(self, patience: float = 30.0) -> int:
        """Sends the buffered events; returns how many still wait, 0 without a buffer.

        `patience`: seconds to wait for a gateway that is away. Raises `Problem`.
        """
        if self._line.buffer is None:
            return 0
        try:
            self._hold(self._line.drain(patience, {}, {}))
        except Unreachable:
            return len(self._line.buffer)
        return len(self._line.buffer)

    def sealing_key(self) -> bytes:
        """The gateway's public key, for a `Buffer`. Raises `Problem` or `httpx.HTTPError`."""
        return _key_of(self._http.get("/v1/sealing-key"))

    def close(self) -> None:
        """Closes the connections, not the buffer."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hold(self, talk: Talk) -> Any:
        reply: GatewayReply | None = None
        with self._one_at_a_time:
            while True:
                over, step = _advance(talk, reply)
                if over:
                    return step
                reply = self._do(step)

    def _do(self, step: Post | Pause) -> GatewayReply | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        headers = {"Content-Type": step.content_type, **step.headers}
        try:
            return _reply(self._http.post("/v1/events", content=step.content, headers=headers))
        except httpx.TransportError:
            return None


class AsyncClient:
    """The asynchronous client; without a buffer, sends run concurrently."""

    def __init__(
        self,
        base_url: str,
        token: str,
        buffer: Buffer | None = None,
        *,
        validate: bool = True,
        patience: float = 60.0,
        clocks: Clocks | None = None,
    ) -> None:
        """Parameters and errors are those of `Client`."""
        self._http = httpx.AsyncClient(**_options(base_url, token))
        self._line = GatewayLine(buffer, validate, patience, clocks=clocks or Clocks())
        self._one_at_a_time = asyncio.Lock()

    async def send(self, events: Iterable[Sendable]) -> Results:
        """Sends events in order; returns a result for each. Raises the errors of `Client.send`."""
        talk = self._line.send(events)
        if self._line.buffer is None:
            direct: Results = await self._hold(talk)
            return direct
        async with self._one_at_a_time:
            buffered: Results = await self._hold(talk)
        return buffered

    async def flush(self, patience: float = 30.0) -> int:
        """Sends the buffered events; returns how many still wait, 0 without a buffer.

        `patience`: seconds to wait for a gateway that is away. Raises `Problem`.
        """
        if self._line.buffer is None:
            return 0
        async with self._one_at_a_time:
            try:
                await self._hold(self._line.drain(patience, {}, {}))
            except Unreachable:
                return len(self._line.buffer)
        return len(self._line.buffer)

    async def sealing_key(self) -> bytes:
        """The gateway's public key, for a `Buffer`. Raises `Problem` or `httpx.HTTPError`."""
        return _key_of(await self._http.get("/v1/sealing-key"))

    async def close(self) -> None:
        """Closes the connections, not the buffer."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _hold(self, talk: Talk) -> Any:
        reply: GatewayReply | None = None
        while True:
            if self._line.buffer is None:
                over, step = _advance(talk, reply)
            else:
                # The buffer waits for the disk, which must not hold up the loop.
                over, step = await asyncio.to_thread(_advance, talk, reply)
            if over:
                return step
            reply = await self._do(step)

    async def _do(self, step: Post | Pause) -> GatewayReply | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        headers = {"Content-Type": step.content_type, **step.headers}
        try:
            response = await self._http.post("/v1/events", content=step.content, headers=headers)
        except httpx.TransportError:
            return None
        return _reply(response)
