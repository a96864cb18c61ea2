"""What does Redis hold, and may it be believed?

Rows, position and generation are read in one transaction and one round trip. Redis is believed
when its generation is the one Postgres names: an emptied, restored or strange server is not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.api.position import Position
from services.api.shelf import Shelf
from services.runtime.logging import log

Hashes = list[dict[str, str]]
CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 0.2, 0.5, 0.8
REST_SECONDS = 1.0


class Views:
    """The rows of views, by hash key; None when Redis cannot be asked or believed."""

    def __init__(self, url: str, doubted: Callable[[], None], connections: int = 32) -> None:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=connections, timeout=READ_SECONDS, decode_responses=True,
            socket_connect_timeout=CONNECT_SECONDS, socket_timeout=READ_SECONDS, protocol=2,
            retry=Retry(NoBackoff(), 0), client_name="hitotsu-api",
        )  # fmt: skip
        self._redis: Redis = Redis(connection_pool=pool)
        self._doubted = doubted
        self._resting_until = 0.0
        self._failed = False
        self.generations: dict[str, str] = {}
        self.shelf = Shelf()

    async def read(self, group: str, keys: Sequence[str]) -> tuple[Hashes, Position] | None:
        """The hashes of these keys, and how far they have read."""
        if group not in self.generations or not self._may_ask():
            return None
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.get(f"hitotsu:generation:{group}")
        pipeline.hgetall(f"hitotsu:position:{group}")
        for key in keys:
            pipeline.hgetall(key)
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                generation, position, *hashes = await pipeline.execute()
        except (RedisError, OSError, TimeoutError, ValueError) as error:
            self._rest(error)
            return None
        self._failed = False
        if generation != self.generations[group]:
            self._doubted()
            return None
        return hashes, {name: int(offset) for name, offset in position.items()}

    async def position(self, group: str) -> Position | None:
        """How far Redis has read; None when it cannot be believed."""
        found = await self.read(group, ())
        return None if found is None else found[1]

    async def check(self) -> None:
        """For readiness: Redis answers."""
        await self._redis.ping()

    async def close(self) -> None:
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    def _may_ask(self) -> bool:
        """After an error nobody asks for a second; then one asks, and the others rest on."""
        now = time.monotonic()
        if now < self._resting_until:
            return False
        if self._failed:
            self._resting_until = now + REST_SECONDS
        return True

    def _rest(self, error: Exception) -> None:
        if not self._failed:
            log.warning("redis is left alone", seconds=REST_SECONDS, error=type(error).__name__)
        self._failed = True
        self._resting_until = time.monotonic() + REST_SECONDS
