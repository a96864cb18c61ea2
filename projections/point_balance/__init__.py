"""How many points does a customer hold? Earned anywhere, spent anywhere."""

from __future__ import annotations

from collections.abc import Iterator

from projections.core import Projection, Row, View, key, maximum, total
from schemas.events import (
    PointsAdjusted,
    PointsEarned,
    PointsExpired,
    PointsRedeemed,
    PointsReinstated,
    PointsReversed,
    PointsTransferred,
)

projection = Projection("point_balance")

balance = projection.table(
    "point_balance",
    profile_id=key("uuid"),
    balance=total(),
    earned=total(),
    redeemed=total(),
    taken_back=total(),
    last_activity_at=maximum(),
    view=View(by=("profile_id",)),
)


@projection.on(PointsEarned)
def earned(event: PointsEarned) -> Iterator[Row]:
    points = sum(lot.points for lot in event.lots)
    yield balance(
        profile_id=event.profile_id,
        balance=points,
        earned=points,
        last_activity_at=event.meta.occurred_at,
    )


@projection.on(PointsRedeemed)
def redeemed(event: PointsRedeemed) -> Iterator[Row]:
    for profile_id, points in _owners(event):
        yield balance(
            profile_id=profile_id,
            balance=-points,
            redeemed=points,
            last_activity_at=event.meta.occurred_at,
        )


@projection.on(PointsReversed)
def reversed_(event: PointsReversed) -> Iterator[Row]:
    for profile_id, points in _owners(event):
        yield balance(
            profile_id=profile_id,
            balance=-points,
            taken_back=points,
            last_activity_at=event.meta.occurred_at,
        )


@projection.on(PointsReinstated)
def reinstated(event: PointsReinstated) -> Iterator[Row]:
    for profile_id, points in _owners(event):
        yield balance(
            profile_id=profile_id,
            balance=points,
            redeemed=-points,
            last_activity_at=event.meta.occurred_at,
        )


@projection.on(PointsAdjusted)
def adjusted(event: PointsAdjusted) -> Iterator[Row]:
    yield balance(
        profile_id=event.profile_id, balance=event.points, last_activity_at=event.meta.occurred_at
    )


@projection.on(PointsExpired)
def expired(event: PointsExpired) -> Iterator[Row]:
    yield balance(profile_id=event.profile_id, balance=-event.points)


@projection.on(PointsTransferred)
def transferred(event: PointsTransferred) -> Iterator[Row]:
    at = event.meta.occurred_at
    for profile_id, points in _owners(event):
        yield balance(profile_id=profile_id, balance=-points, last_activity_at=at)
    yield balance(profile_id=event.to_profile_id, balance=event.points, last_activity_at=at)


def _owners(
    event: PointsRedeemed | PointsReversed | PointsReinstated | PointsTransferred,
) -> Iterator[tuple[bytes, int]]:
    """Whose points move: the lots' owners, and the event's profile for what names no lot."""
    undecided = event.points
    for allocation in event.allocations:
        undecided -= allocation.points
        yield allocation.profile_id, allocation.points
    if undecided:
        yield event.profile_id, undecided
