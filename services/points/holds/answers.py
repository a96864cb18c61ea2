"""The response bodies of the routes for point holds, and the problem for each denial."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from services.deciding.answers import EXPIRED, POSITION, RESOLVED, OutcomeAnswers, Position, Yes
from services.http.operation import AnswerModel
from services.http.problem_type import ProblemType, may_be_absent
from services.points.holds.commands import Channel
from services.points.holds.outcomes import (
    HoldCaptured,
    HoldExpired,
    HoldReleased,
    HoldResolved,
    HoldTooSmall,
    HoldUnknown,
    PointsHeld,
    PointsSpent,
    ProfileUnknown,
    TooFewPoints,
)

PERHAPS_POSITION = {"position": may_be_absent(Position)}


class Allocation(AnswerModel):
    """Points taken from, or given back to, one lot of one profile."""

    profile_id: UUID
    lot_id: UUID
    points: int


class _Decided(AnswerModel):
    available: int = Field(description="Points that the member can still spend.")
    dry_run: bool
    version: int = Field(description="Number of ledger entries that the decision was made from.")
    position: Position


class HeldPoints(_Decided):
    """A hold that was created; a dry run creates none, so `hold_id` is absent."""

    hold_id: UUID | SkipJsonSchema[None] = None
    state: Literal["open"]
    expires_at: datetime
    points: int
    allocations: list[Allocation]


class RedeemedPoints(_Decided):
    """Points that were spent without an earlier hold; in a dry run `hold_id` is absent."""

    hold_id: UUID | SkipJsonSchema[None] = None
    state: Literal["captured"]
    points: int
    event_id: UUID
    allocations: list[Allocation]


class CapturedPoints(_Decided):
    """Points of a hold that were spent; `freed`: points of the hold that were released."""

    hold_id: UUID
    state: Literal["captured"]
    points: int
    event_id: UUID
    allocations: list[Allocation]
    freed: int


class ReleasedPoints(_Decided):
    """A hold that was released: its points can be spent again."""

    hold_id: UUID
    state: Literal["released"]


class PointsHold(AnswerModel):
    """The state of a hold; `applied`: it is captured, and the balance includes the redemption."""

    hold_id: UUID
    profile_id: UUID
    points: int
    program: str
    state: Literal["open", "captured", "applied", "released", "expired"]
    channel: Channel
    transaction_id: UUID | None
    expires_at: datetime
    allocations: list[Allocation]


class OfflineLimit(AnswerModel):
    """Points of a program that a terminal may redeem in one redemption while offline.

    `rule_version`: the version of the program's rules in force; null: none, and the limit is 0.
    """

    program: str
    store_id: str
    terminal_id: str
    per_redemption: int
    rule_version: str | None


class UnauthorisedRedemption(AnswerModel):
    """An offline redemption above the limit that was in force."""

    event_id: UUID
    at: datetime
    profile_id: UUID
    program: str
    points: int
    terminal: str
    transaction_id: UUID | None
    limit: int
    rule_version: str | None
    store_id: str
    terminal_id: str


class UnauthorisedRedemptions(AnswerModel):
    """Offline redemptions above the limit, newest first; `more`: there are others not listed."""

    redemptions: list[UnauthorisedRedemption]
    more: bool


NO_SUCH_HOLD = ProblemType(
    "hold-not-found", 404, "Not Found", "There is no such hold of points.", PERHAPS_POSITION
)
UNKNOWN_PROFILE = ProblemType(
    "profile-not-found", 404, "Not Found", "Nothing is known of the profile.", PERHAPS_POSITION
)
INSUFFICIENT_POINTS = ProblemType(
    "insufficient-points", 409, "Not enough points",
    "The member or the hold has fewer points than the command asks for; see `available`.",
    {"available": int, "version": may_be_absent(int), **POSITION},
)  # fmt: skip
ANSWERS = OutcomeAnswers(
    accepted={
        PointsHeld: Yes(HeldPoints, 201),
        PointsSpent: Yes(RedeemedPoints),
        HoldCaptured: Yes(CapturedPoints),
        HoldReleased: Yes(ReleasedPoints),
    },
    denied={
        ProfileUnknown: UNKNOWN_PROFILE,
        HoldUnknown: NO_SUCH_HOLD,
        HoldResolved: RESOLVED,
        HoldExpired: EXPIRED,
        TooFewPoints: INSUFFICIENT_POINTS,
        HoldTooSmall: INSUFFICIENT_POINTS,
    },
)
