"""What documents do to stock: moves of units, and what does not fit. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Move:
    """Units of an item that change at a location, at a time (microseconds since the epoch)."""

    sku: str
    location: str
    at: int
    on_hand: int = 0
    committed: int = 0
    unavailable: int = 0
    incoming: int = 0


@dataclass(frozen=True, slots=True)
class DatedMove:
    """A change of units that are expected, or promised for when they are expected.

    They are in the incoming and committed units of a `Move` as well. Times in microseconds.
    """

    sku: str
    location: str
    at: int
    expected_at: int
    incoming: int = 0
    preordered: int = 0


@dataclass(frozen=True, slots=True)
class DatedUnits:
    """Units that are now expected, or promised for when they are expected, by one document."""

    document: str
    sku: str
    location: str
    expected_at: int
    incoming: int = 0
    preordered: int = 0


@dataclass(frozen=True, slots=True)
class Misfit:
    """Units that a document names and that its order, transfer or delivery does not have.

    `resolution`: which side people decided to be right; None while nobody has.
    """

    document: str
    kind: str
    at: int
    sku: str
    location: str
    quantity: int
    resolution: str | None = None


def dated_moves(
    sku: str,
    at: int,
    before: Counter[tuple[str, int]],
    now: Counter[tuple[str, int]],
    column: Literal["incoming", "preordered"],
) -> Iterator[DatedMove]:
    """The moves between two states of units by location and time at which they are expected."""
    for location, expected_at in sorted({*before, *now}):
        units = now[location, expected_at] - before[location, expected_at]
        if units:
            yield DatedMove(sku, location, at, expected_at, **{column: units})
