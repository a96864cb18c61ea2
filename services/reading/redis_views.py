"""Reads views from Redis, and decides whether Redis is current enough to be used.

Rows, position and generation are read in one MULTI transaction, in one round trip for all requests
of one turn of the event loop. Redis is used if its generation is the one that Postgres names (an
emptied or foreign server has another), and if it has all records that Postgres had applied two
seconds ago (`services/reading/age.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.reading.position import Position, behind, topic_of
from services.reading.redis_link import Link, RedisUnreachable, command
from services.reading.row_cache import RowCache
from services.runtime.logging import log

Texts = list[str]
Topics = frozenset[str] | None
CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 0.2, 0.5, 0.8
REST_SECONDS = 1.0
_EXEC = command("EXEC")


Answer = tuple[list[Texts], Position] | None


@dataclass(frozen=True, slots=True)
class Parts:
    """Redis' position as received (`told`), and parsed by set of topics; None: too old."""

    told: Texts
    positions: dict[Topics, Position | None] = field(default_factory=dict)


class RedisRound:
    """The reads of several requests, sent in one transaction."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.commands: list[bytes] = []
        self.topics: set[Topics] = set()
        self._readers: list[tuple[int, int, Topics, asyncio.Future[Answer]]] = []

    def join(self, keys: Sequence[str], topics: Topics) -> asyncio.Future[Answer]:
        """Adds a read of the hashes `keys` and of the position of `topics` (None: all).

        The future gets hashes and position, or None if Redis cannot be used.
        """
        answer: asyncio.Future[Answer] = self._loop.create_future()
        start = len(self.commands)
        for raw in map(str.encode, keys):
            self.commands.append(b"*2\r\n$5\r\nHVALS\r\n$%d\r\n%b\r\n" % (len(raw), raw))
        self.topics.add(topics)
        self._readers.append((start, len(self.commands), topics, answer))
        return answer

    def answer(self, hashes: list[Texts], positions: Mapping[Topics, Position | None]) -> None:
        """Answers all reads: rows and position, or None if the position is too old."""
        for start, end, topics, answer in self._readers:
            if not answer.done():  # done: the request was cancelled
                position = positions[topics]
                answer.set_result(None if position is None else (hashes[start:end], position))

    def end(self) -> None:
        """Answers None to all reads: Redis cannot be used."""
        for *_, answer in self._readers:
            if not answer.done():
                answer.set_result(None)


class ViewReader:
    """Reads rows of views by hash key, if Redis can be reached and is current.

    `doubted`: called if Redis has another generation than `generations`, which is by group and set
    by the background poll.
    """

    def __init__(self, url: str, doubted: Callable[[], None]) -> None:
        self._link = Link(url, CONNECT_SECONDS, READ_SECONDS)
        self._doubted = doubted
        self._resting_until = 0.0
        self._failed = False
        self._begins: dict[str, bytes] = {}
        self._told: dict[str, Parts] = {}
        self._rounds: dict[str, RedisRound] = {}
        self._asking: set[asyncio.Future[None]] = set()
        self._due: Mapping[str, Position] = {}
        self._old: set[tuple[str, Topics]] = set()
        self._late: set[str] = set()
        self.generations: dict[str, str] = {}
        self.shelf = RowCache()

    @property
    def due(self) -> Mapping[str, Position]:
        """By group, the position that Redis must have to be used."""
        return self._due

    @due.setter
    def due(self, due: Mapping[str, Position]) -> None:
        self._due = due
        # the next read judges Redis anew; until now a Redis found too old was not read at all
        self._told.clear()
        self._old.clear()

    async def read(
        self, group: str, keys: Sequence[str], topics: Topics = None
    ) -> tuple[list[Texts], Position] | None:
        """The values of these hashes, and Redis' position of `topics` (None: of all topics).

        Returns None if Redis cannot be reached or is not current. Positions are shared objects and
        must not be modified.
        """
        if group not in self.generations or (group, topics) in self._old or not self._may_ask():
            return None
        round_ = self._rounds.get(group)
        if round_ is None:
            loop = asyncio.get_running_loop()
            round_ = self._rounds[group] = RedisRound(loop)
            # requests of the same turn of the event loop join this round
            loop.call_soon(self._send, group)
        return await round_.join(keys, topics)

    def _send(self, group: str) -> None:
        task = asyncio.ensure_future(self._ask(group, self._rounds.pop(group)))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, group: str, round_: RedisRound) -> None:
        try:
            # MULTI, queued commands, EXEC: the last reply has the results of all commands
            commands = b"".join([self._begin(group), *round_.commands, _EXEC])
            found = await self._link.ask(commands, 4 + len(round_.commands))
            generation, told, *hashes = _checked(found)
            parts = self._parts(group, told)
            positions = {topics: self._position(group, parts, topics) for topics in round_.topics}
        except (RedisUnreachable, ValueError) as error:
            self._rest(error)
            round_.end()
            return
        except BaseException:  # no request may wait forever
            round_.end()
            raise
        self._failed = False
        if generation != self.generations.get(group):
            self._doubted()
            round_.end()
            return
        round_.answer(hashes, positions)

    async def position(self, group: str) -> Position | None:
        """Redis' position; None if Redis cannot be reached or is not current."""
        found = await self.read(group, ())
        return None if found is None else found[1]

    async def check(self) -> None:
        """Readiness check: raises `RedisUnreachable` or TimeoutError unless Redis answers PING."""
        async with asyncio.timeout(WHOLE_SECONDS):
            await self._link.ask(command("PING"), 1)

    async def close(self) -> None:
        await self._link.close()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _begin(self, group: str) -> bytes:
        begin = self._begins.get(group)
        if begin is None:
            generation = command("GET", f"hitotsu:generation:{group}")
            position = command("HGETALL", f"hitotsu:position:{group}")
            begin = self._begins[group] = command("MULTI") + generation + position
        return begin

    def _parts(self, group: str, told: Texts) -> Parts:
        """The cached parsed positions; new ones if Redis' position has changed."""
        known = self._told.get(group)
        if known is None or known.told != told:
            known = self._told[group] = Parts(told)
        return known

    def _position(self, group: str, parts: Parts, topics: Topics) -> Position | None:
        """Redis' position of `topics`; None if it is too old."""
        if topics not in parts.positions:
            parts.positions[topics] = self._judged(group, parts.told, topics)
        return parts.positions[topics]

    def _judged(self, group: str, told: Texts, topics: Topics) -> Position | None:
        pairs = iter(told)
        position = {
            name: int(offset)
            for name, offset in zip(pairs, pairs, strict=True)
            if topics is None or topic_of(name) in topics
        }
        due = self._due.get(group, {})
        old = bool(behind(position, due, topics or map(topic_of, due)))
        if old:
            self._old.add((group, topics))
        if topics is None and old is not (group in self._late):
            self._late ^= {group}
            note = log.warning if old else log.info
            note("redis_is_too_old" if old else "redis_is_level", group=group)
        return None if old else position

    def _may_ask(self) -> bool:
        """Whether to send a read to Redis.

        Not for `REST_SECONDS` after an error; then a single request tries, while the others still
        use Postgres.
        """
        now = time.monotonic()
        if now < self._resting_until:
            return False
        if self._failed:
            self._resting_until = now + REST_SECONDS
        return True

    def _rest(self, error: Exception) -> None:
        if not self._failed:
            log.warning("redis_paused", seconds=REST_SECONDS, error=str(error))
        self._failed = True
        self._resting_until = time.monotonic() + REST_SECONDS


def _checked(found: Any) -> Any:
    """The reply of EXEC: generation, position and hashes.

    Raises RedisUnreachable if a command failed, for example because a key has another type.
    """
    for reply in found:
        if isinstance(reply, Exception):
            raise RedisUnreachable(str(reply).partition(" ")[0])
    return found
