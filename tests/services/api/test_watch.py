"""Which lag is told to whoever watches? That of what is served, and none while nobody knows."""

from __future__ import annotations

import time
from typing import Any, cast

from projections import discover
from services.reading.catalog import Catalog
from services.reading.end_offsets import NO_POSITION
from services.reading.position import Position
from services.reading.refresh import ReadRefresh
from services.runtime.metrics import API_LAG

TOPIC = "commerce.points"


class Redis:
    """Believed at a position, or not believed."""

    def __init__(self, held: Position | None) -> None:
        self._held = held

    async def position(self, group: str) -> Position | None:
        return self._held


class Ends:
    """A topic with a thousand records in one partition."""

    def lag(self, position: Position | None, topics: list[str]) -> tuple[int | None, str | None]:
        if position is None:
            return None, NO_POSITION
        return 1_000 - position.get(f"{TOPIC}-0", 0), None


async def lag(applied: Position | None, held: Position | None) -> float:
    watch = ReadRefresh(
        cast(Any, None), cast(Any, Redis(held)), cast(Any, Ends()), Catalog(discover())
    )
    if applied is not None:
        watch._positions = {"main": applied}
        watch._positions_at = time.monotonic()
    watch._publish(await watch._served())
    return float(API_LAG.labels(TOPIC)._value.get())


async def test_while_redis_is_believed_the_lag_is_that_of_redis() -> None:
    assert await lag({f"{TOPIC}-0": 990}, {f"{TOPIC}-0": 700}) == 300


async def test_while_redis_is_not_believed_the_lag_is_that_of_postgres() -> None:
    assert await lag({f"{TOPIC}-0": 990}, None) == 10


async def test_positions_that_were_not_read_lately_are_no_lag() -> None:
    watch = ReadRefresh(
        cast(Any, None), cast(Any, Redis(None)), cast(Any, Ends()), Catalog(discover())
    )
    watch._positions = {"main": {f"{TOPIC}-0": 990}}
    watch._positions_at = time.monotonic() - 60
    watch._publish(await watch._served())
    shown = float(API_LAG.labels(TOPIC)._value.get())
    assert shown != shown


async def test_before_postgres_has_answered_the_lag_is_unknown() -> None:
    found = await lag(None, None)
    assert found != found
