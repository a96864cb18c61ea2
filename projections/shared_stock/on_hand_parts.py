"""Explains an on-hand figure: the last count, the movements since, and the effect of each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from projections.core.instants import instant
from schemas.history.releases import releases
from schemas.measures import Units, UnitTold, location_and_unit, shown


class Base(BaseModel):
    """The newest count, and the figure from which on hand is computed: what was `counted`.

    After a count of a zone it is the sum over all zones; movements are added from `counted_at` on,
    when the zone was counted in which units move.
    """

    event_id: UUID
    counted: Units
    counted_at: datetime
    zone: str | None = Field(None, description="Of the newest count; null: the whole location.")


class Movement(BaseModel):
    """The effect of one event on a cell.

    `place`: its record, topic-partition@offset. `on_top`: whether it counts on top of the base.
    `on_hand_delta` of a count: the counted minus the expected quantity.
    """

    event_id: UUID
    event: str | None
    place: str | None
    at: datetime
    counted: Units | None
    on_hand_delta: Units
    on_hand: Units = Field(description="After this movement.")
    on_top: bool
    zone: str | None = Field(None, description="The zone that was counted, if it was one.")
    committed_delta: Units
    unavailable_delta: Units
    incoming_delta: Units


class Explained(BaseModel):
    """An explanation of on hand: base.counted + moved_since_base, with the movements."""

    sku: str
    location_id: str
    unit: UnitTold = None
    on_hand: Units
    base: Base | None = Field(description="None: never counted, every movement counts.")
    moved_since_base: Units
    committed: Units
    unavailable: Units
    incoming: Units
    movements: list[Movement]


def explained(
    sku: str, row: Mapping[str, Any], newest_first: list[dict[str, Any]], before: int
) -> Explained:
    """Explains a cell from its row and a page of its movements; `before`: on hand before the
    oldest.
    """
    base, (location_id, unit) = None, location_and_unit(row["location_id"])
    if row["counted_at"] is not None:
        base = Base(
            event_id=row["counted_by"], counted=shown(row["counted"], unit),
            counted_at=instant(row["counted_at"]), zone=row["zone"],
        )  # fmt: skip
    return Explained(
        sku=sku, location_id=location_id, unit=unit, on_hand=shown(row["on_hand"], unit),
        base=base, moved_since_base=shown(row["moved"], unit),
        committed=shown(row["committed"], unit), unavailable=shown(row["unavailable"], unit),
        incoming=shown(row["incoming"], unit),
        movements=[
            _movement(one, delta, on_hand, row["counted_at"], unit)
            for one, delta, on_hand in running(newest_first, before)
        ],
    )  # fmt: skip


def running(
    newest_first: Iterable[Mapping[str, Any]], before: int
) -> list[tuple[Mapping[str, Any], int, int]]:
    """Each movement, newest first, with its change of on hand and the quantity after it.

    `before`: on hand before the oldest. A count changes by the counted minus the expected quantity;
    `stood` is what is on hand after it.
    """
    told, on_hand = [], before
    for row in reversed(list(newest_first)):
        after = on_hand + row["delta"] if row["step"] else row["stood"]
        told.append((row, after - on_hand, after))
        on_hand = after
    return told[::-1]


def _movement(
    row: Mapping[str, Any], delta: int, on_hand: int, counted_at: int | None, unit: str | None
) -> Movement:
    release = releases().by_id.get(row["schema_id"])
    moves = row["step"] == 1
    return Movement(
        event_id=row["event_id"], event=release.record if release else None,
        place=f"{row['topic']}-{row['partition']}@{row['offset']}" if row["topic"] else None,
        at=instant(row["at"]), counted=None if moves else shown(row["counted"], unit),
        on_hand_delta=shown(delta, unit), on_hand=shown(on_hand, unit),
        on_top=moves and (counted_at is None or row["at"] >= counted_at),
        zone=row["zone"],
        committed_delta=shown(row["committed"], unit),
        unavailable_delta=shown(row["unavailable"], unit),
        incoming_delta=shown(row["incoming"], unit),
    )  # fmt: skip
