"""The commands on point holds and their request bodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import Code, GivenId

POINTS_MAX = 1_000_000_000
TTL_DEFAULT, TTL_MAX = 600, 7 * 86_400
Channel = Literal["STORE", "EC", "CALL_CENTRE", "OTHER"]
Points = Annotated[int, Field(ge=1, le=POINTS_MAX)]


# not said where it says nothing: a body of before programs existed has the same hash
ProgramAsked = Annotated[
    Code | None,
    Field(exclude_if=lambda name: name is None, description="The program; absent: the default."),
]


class _PointsBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    dry_run: bool = Field(False, description="Decides and answers, but stores nothing.")


class HoldBody(_PointsBody):
    """Holds points of the profile's member for `ttl_seconds`.

    With `all_or_nothing` it is denied if the member has fewer. `best_effort` then holds those that
    there are, and is denied if there are none.
    """

    profile_id: GivenId
    channel: Channel
    points: Points
    ttl_seconds: Annotated[int, Field(ge=1, le=TTL_MAX)] = TTL_DEFAULT
    mode: Literal["all_or_nothing", "best_effort"] = "all_or_nothing"
    program: ProgramAsked = None


class CaptureBody(_PointsBody):
    """Spends `points` of the hold (null: all of them); the rest of the hold is released."""

    points: Points | None = None
    transaction_id: GivenId | None = None


class ReleaseHoldBody(_PointsBody):
    """Ends the hold without spending its points."""


class RedeemBody(_PointsBody):
    """Spends points of the profile's member without an earlier hold."""

    profile_id: GivenId
    channel: Channel
    points: Points
    transaction_id: GivenId | None = None
    program: ProgramAsked = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A command to hold points. `hold_id`: of the hold to create. `client`: the token's name."""

    hold_id: UUID
    client: str
    body: HoldBody


@dataclass(frozen=True, slots=True)
class Redeem:
    """A command to spend points without an earlier hold; `hold_id`: of the hold to create."""

    hold_id: UUID
    client: str
    body: RedeemBody


@dataclass(frozen=True, slots=True)
class Capture:
    """A command to spend points of a hold."""

    hold_id: UUID
    body: CaptureBody


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    """A command to end a hold without spending."""

    hold_id: UUID
    body: ReleaseHoldBody


Command = Hold | Redeem | Capture | ReleaseHold
