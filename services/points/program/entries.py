"""Computes the ledger entries of a points event before it is applied, by the projection's handler.

Also builds the `meta` of the events that this program decides.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from projections.point_balance import entry, projection
from schemas.generated.events import (
    PointsAdjusted,
    PointsEarned,
    PointsExpired,
    PointsReinstated,
    PointsReversed,
)
from schemas.generated.events.parts import Meta, Producer

Fact = PointsEarned | PointsReversed | PointsReinstated | PointsAdjusted | PointsExpired
SYSTEM = "hitotsu-points"


def meta_of(event_id: UUID, at: int, channel: str = "OTHER") -> Meta:
    """The `meta` of an event that the points program decides; `at`: `occurred_at`, microseconds."""
    return Meta(
        event_id=event_id.bytes, occurred_at=at, producer=Producer(system=SYSTEM, channel=channel)
    )


def entries_of(fact: Fact) -> list[dict[str, Any]]:
    """The rows of `point_entry` that the projector will insert for this event."""
    rows = [
        row for handle in projection.handlers[type(fact)] for row in handle(fact) if row[0] is entry
    ]
    event_id = UUID(bytes=fact.meta.event_id)
    return [
        {"event_id": event_id, "number": number, **_named(values)}
        for number, (_, _, values) in enumerate(rows)
    ]


def _named(values: list[Any]) -> dict[str, Any]:
    """Values by column name; ids of 16 bytes become UUIDs."""
    return {
        name: UUID(bytes=value) if isinstance(value, bytes) else value
        for name, value in zip(entry.values, values, strict=True)
    }
