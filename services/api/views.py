"""What does Redis hold, and may it be believed?

Rows, position and generation are read in one transaction and one round trip. Redis is believed
when its generation is the one Postgres names, which that of an emptied or strange server is not,
and when it holds all that Postgres had applied two seconds ago (`services/api/age.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.api.link import Link, Unreachable, command
from services.api.position import Position, behind, topic_of
from services.api.shelf import Shelf
from services.runtime.logging import log

Texts = list[str]
Topics = frozenset[str] | None
CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 0.2, 0.5, 0.8
REST_SECONDS = 1.0
_EXEC = command("EXEC")


class Views:
    """The rows of views, by hash key; None when Redis cannot be asked or believed."""

    def __init__(self, url: str, doubted: Callable[[], None]) -> None:
        self._link = Link(url, CONNECT_SECONDS, READ_SECONDS)
        self._doubted = doubted
        self._resting_until = 0.0
        self._failed = False
        self._begins: dict[str, bytes] = {}
        self._told: dict[str, tuple[Texts, dict[Topics, Position | None]]] = {}
        self._due: Mapping[str, Position] = {}
        self._old: set[tuple[str, Topics]] = set()
        self._late: set[str] = set()
        self.generations: dict[str, str] = {}
        self.shelf = Shelf()

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
        self, group: str, keys: Sequence[str], topics: frozenset[str] | None = None
    ) -> tuple[list[Texts], Position] | None:
        """What each of these hashes holds, and how far they have read (of these topics; None: all).

        None also when that is too long ago. Positions are shared: they are not to be changed.
        """
        if group not in self.generations or (group, topics) in self._old or not self._may_ask():
            return None
        asked = [self._begin(group)]
        for raw in map(str.encode, keys):
            asked.append(b"*2\r\n$5\r\nHVALS\r\n$%d\r\n%b\r\n" % (len(raw), raw))
        asked.append(_EXEC)
        try:
            # MULTI, what is queued, EXEC: the last reply holds all
            found = await self._link.ask(b"".join(asked), 4 + len(keys))
            generation, position, *hashes = _checked(found)
            read = self._position(group, position, topics)
        except (Unreachable, ValueError) as error:
            self._rest(error)
            return None
        self._failed = False
        if generation != self.generations[group]:
            self._doubted()
            return None
        return None if read is None else (hashes, read)

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

    def _begin(self, group: str) -> bytes:
        begin = self._begins.get(group)
        if begin is None:
            generation = command("GET", f"hitotsu:generation:{group}")
            position = command("HGETALL", f"hitotsu:position:{group}")
            begin = self._begins[group] = command("MULTI") + generation + position
        return begin

    def _position(self, group: str, told: Texts, topics: Topics) -> Position | None:
        """None: it is too old. Between two batches of the projector every reply tells the same."""
        known, parts = self._told.get(group, (None, {}))
        if told != known:
            parts = {}
            self._told[group] = told, parts
        if topics not in parts:
            parts[topics] = self._judged(group, told, topics)
        return parts[topics]

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
            raise Unreachable(str(reply).partition(" ")[0])
    return found
