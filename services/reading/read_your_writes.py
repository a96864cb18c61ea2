"""Read-your-writes: waits, for a limited time, until the position or event that a caller names is
applied.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from schemas.topics import TOPICS
from services.http.problem import Refuse
from services.reading.applied_events import applied_statement
from services.reading.catalog import Catalog
from services.reading.database import ask
from services.reading.end_offsets import Ends
from services.reading.position import Position, behind, covers, topic_of
from services.reading.redis_views import ViewReader
from services.runtime.db import Pool
from services.runtime.metrics import POSITION_WAITS

WAIT_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.1
_MOST_ENTRIES = 1_000
_EVENT = "event:"
_PARTITION = re.compile("0|[1-9][0-9]{0,4}")
_CHECKPOINTS = "select topic, partition, next_offset from hitotsu.checkpoint where grp = %(group)s"
_PUT_ASIDE = "select 1 from hitotsu.dead_letter where event_id = %(event_id)s limit 1"


@dataclass(frozen=True, slots=True)
class WantedPosition:
    """The position, or the event, that an answer must include.

    `pointer`: JSON pointer of the request's parameter or header that names it.
    """

    position: Position = field(default_factory=dict)
    event_id: UUID | None = None
    pointer: str = "/query/min_position"


def wanted_from(text: str) -> WantedPosition:
    """Parses `event:<uuid>` or a JSON map; raises ValueError that says what is wrong."""
    if text.startswith(_EVENT):
        try:
            return WantedPosition(event_id=UUID(text.removeprefix(_EVENT)))
        except ValueError:
            raise ValueError("`event:` must be followed by a UUID") from None
    try:
        position = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("must be `event:<uuid>` or a JSON map like an answer's position") from None
    if not isinstance(position, dict) or len(position) > _MOST_ENTRIES:
        raise ValueError(f"must be a map of at most {_MOST_ENTRIES} entries")
    for name, offset in position.items():
        if topic_of(name) not in TOPICS or not _PARTITION.fullmatch(name.rpartition("-")[2]):
            raise ValueError("the map's keys must be `<topic>-<partition>` of known topics")
        if type(offset) is not int or not 0 <= offset < 1 << 63:
            raise ValueError("the map's values must be offsets (integers from 0)")
    return WantedPosition(position=position)


class PositionWaiter:
    """Waits for positions: polls Redis and Postgres for every waiting request."""

    def __init__(
        self,
        pool: Pool,
        views: ViewReader,
        catalog: Catalog,
        ends: Ends,
        seconds: float = WAIT_SECONDS,
    ) -> None:
        self._pool, self._views, self._catalog, self._seconds = pool, views, catalog, seconds
        self._ends = ends

    async def missing(self, wanted: WantedPosition) -> str | None:
        """The first partition in the position that does not exist; None if all exist, or Kafka does
        not say so.
        """
        for name in wanted.position:
            if await self._ends.exists(name) is False:
                return name
        return None

    async def until(self, wanted: WantedPosition, groups: Iterable[str]) -> Position:
        """Waits until Postgres or Redis has what is wanted, for all groups. An event that is a dead
        letter is not waited for.

        Returns the position that sources of the answer must have: the wanted one, for an applied
        event that of its record, for a dead letter none. Raises a refusal (504) after `seconds`.
        """
        started = time.monotonic()
        position = dict(wanted.position)
        pause = _FIRST_PAUSE
        open_groups = list(groups)
        try:
            while True:
                open_groups = [
                    g for g in open_groups if not await self._applied(g, wanted, position)
                ]
                if not open_groups:
                    return position
                if time.monotonic() - started + pause > self._seconds:
                    raise Refuse(504, "Gateway Timeout", self._late(wanted))
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 1.5)
        finally:
            POSITION_WAITS.observe(time.monotonic() - started)

    def _late(self, wanted: WantedPosition) -> str:
        what = f"event {wanted.event_id}" if wanted.event_id else "min_position"
        return (
            f"{what} was not applied within {self._seconds:g} s. Send the request again, or"
            " without min_position."
        )

    async def _applied(self, group: str, wanted: WantedPosition, position: Position) -> bool:
        if wanted.event_id is not None:
            return await self._event(group, wanted.event_id, position)
        topics = self._catalog.topics[group]
        if not behind({}, wanted.position, topics):
            return True
        if covers(await self._views.position(group) or {}, wanted.position, topics):
            return True
        rows = await ask(self._pool, _CHECKPOINTS, {"group": group})
        return covers({f"{t}-{p}": offset for t, p, offset in rows}, wanted.position, topics)

    async def _event(self, group: str, event_id: UUID, position: Position) -> bool:
        found = await ask(self._pool, applied_statement(group), {"event_id": event_id})
        for topic, partition, offset, _ in found:
            name = f"{topic}-{partition}"
            position[name] = max(position.get(name, 0), offset + 1)
        return bool(found) or bool(await ask(self._pool, _PUT_ASIDE, {"event_id": event_id}))
