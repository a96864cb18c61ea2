"""What does Redis hold, and may it be believed?

Rows, position and generation are read in one transaction and one round trip, for all who ask
before the loop comes round. Redis is believed
when its generation is the one Postgres names, which that of an emptied or strange server is not,
and when it holds all that Postgres had applied two seconds ago (`services/reading/age.py`).
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
    """A position as Redis told it, and read: by topics, None where that is too old."""

    told: Texts
    positions: dict[Topics, Position | None] = field(default_factory=dict)


class RedisRound:
    """What several readers ask of Redis in one transaction."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []
        self.topics: set[Topics] = set()
        self._readers: list[tuple[int, int, Topics, asyncio.Future[Answer]]] = []

    def join(self, keys: Sequence[str], topics: Topics) -> asyncio.Future[Answer]:
        """The answer to come: these hashes, and the position of these topics."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        start = len(self.commands)
        for raw in map(str.encode, keys):
            self.commands.append(b"*2\r\n$5\r\nHVALS\r\n$%d\r\n%b\r\n" % (len(raw), raw))
        self.topics.add(topics)
        self._readers.append((start, len(self.commands), topics, answer))
        return answer

    def answer(self, hashes: list[Texts], positions: Mapping[Topics, Position | None]) -> None:
        """Each reader gets its own; none whose position is too old."""
        for start, end, topics, answer in self._readers:
            if not answer.done():  # whoever has left asked in vain
                position = positions[topics]
                answer.set_result(None if position is None else (hashes[start:end], position))

    def end(self) -> None:
        """Nobody is answered from here."""
        for *_, answer in self._readers:
            if not answer.done():
                answer.set_result(None)


class ViewReader:
    """The rows of views, by hash key; None when Redis cannot be asked or believed."""

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
        """By group, what Redis must hold to be believed."""
        return self._due

    @due.setter
    def due(self, due: Mapping[str, Position]) -> None:
        self._due = due
        # judged anew by the next reader: what is too old is not asked in between
        self._told.clear()
        self._old.clear()

    async def read(
        self, group: str, keys: Sequence[str], topics: Topics = None
    ) -> tuple[list[Texts], Position] | None:
        """What each of these hashes holds, and how far they have read (of these topics; None: all).

        None also when that is too long ago. Positions are shared: they are not to be changed.
        """
        if group not in self.generations or (group, topics) in self._old or not self._may_ask():
            return None
        round_ = self._rounds.get(group)
        if round_ is None:
            round_ = self._rounds[group] = RedisRound()
            # whoever asks before the loop comes round is answered in one go
            asyncio.get_running_loop().call_soon(self._send, group)
        return await round_.join(keys, topics)

    def _send(self, group: str) -> None:
        task = asyncio.ensure_future(self._ask(group, self._rounds.pop(group)))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, group: str, round_: RedisRound) -> None:
        try:
            # MULTI, what is queued, EXEC: the last reply holds all
            commands = b"".join([self._begin(group), *round_.commands, _EXEC])
            found = await self._link.ask(commands, 4 + len(round_.commands))
            generation, told, *hashes = _checked(found)
            parts = self._parts(group, told)
            positions = {topics: self._position(group, parts, topics) for topics in round_.topics}
        except (RedisUnreachable, ValueError) as error:
            self._rest(error)
            round_.end()
            return
        except BaseException:  # whoever waits is told, whatever it was
            round_.end()
            raise
        self._failed = False
        if generation != self.generations.get(group):
            self._doubted()
            round_.end()
            return
        round_.answer(hashes, positions)

    async def position(self, group: str) -> Position | None:
        """How far Redis has read; None when it cannot be believed."""
        found = await self.read(group, ())
        return None if found is None else found[1]

    async def check(self) -> None:
        """For readiness: Redis answers."""
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
        """Between two batches of the projector every reply tells the same."""
        known = self._told.get(group)
        if known is None or known.told != told:
            known = self._told[group] = Parts(told)
        return known

    def _position(self, group: str, parts: Parts, topics: Topics) -> Position | None:
        """None: it is too old."""
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
        """After an error nobody asks for a second; then one asks, and the others rest on."""
        now = time.monotonic()
        if now < self._resting_until:
            return False
        if self._failed:
            self._resting_until = now + REST_SECONDS
        return True

    def _rest(self, error: Exception) -> None:
        if not self._failed:
            log.warning("redis is left alone", seconds=REST_SECONDS, error=str(error))
        self._failed = True
        self._resting_until = time.monotonic() + REST_SECONDS


def _checked(found: Any) -> Any:
    """Generation, position and hashes; a key of another type is a server to be left alone."""
    for reply in found:
        if isinstance(reply, Exception):
            raise RedisUnreachable(str(reply).partition(" ")[0])
    return found
