"""Moments: events that one system sends together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from operator import attrgetter

from services.demo.shop import names
from services.demo.shop.names import Json


@dataclass(frozen=True, slots=True)
class DemoMoment:
    """Events that happen at one time: a receipt with its points, a return with its inquiry …

    `at`: the true time. `ahead`: how far the sender's clock is ahead of it, negative if behind.
    """

    at: datetime
    events: list[Json]
    ahead: timedelta = timedelta()


def in_time(*streams: Iterable[DemoMoment]) -> Iterator[DemoMoment]:
    """The moments of streams that are ordered by time each, ordered by time."""
    return merge(*streams, key=attrgetter("at"))


def alone(events: Iterable[Json]) -> Iterator[DemoMoment]:
    """A moment for each event of an import, which is sent as it is read."""
    for event in events:
        yield DemoMoment(names.OPENING, [event])
