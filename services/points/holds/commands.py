"""The request bodies of commands on points; durations in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import GivenId

POINTS_MAX = 1_000_000_000
TTL_DEFAULT, TTL_MAX = 600, 7 * 86_400
Channel = Literal["STORE", "EC", "CALL_CENTRE", "OTHER"]
Points = Annotated[int, Field(ge=1, le=POINTS_MAX)]


class _PointsBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    dry_run: bool = Field(False, description="Decide, and keep nothing.")


class HoldBody(_PointsBody):
    """Holds points of the profile's member for `ttl_seconds`: all, or with `best_effort` what there
    is.
    """

    profile_id: GivenId
    channel: Channel
    points: Points
    ttl_seconds: Annotated[int, Field(ge=1, le=TTL_MAX)] = TTL_DEFAULT
    mode: Literal["all_or_nothing", "best_effort"] = "all_or_nothing"


class CaptureBody(_PointsBody):
    """The purchase is paid: spends the held points, all or some; the rest is released."""

    points: Points | None = None
    transaction_id: GivenId | None = None


class ReleaseHoldBody(_PointsBody):
    """Releases the points."""


class RedeemBody(_PointsBody):
    """Holds and captures at once."""

    profile_id: GivenId
    channel: Channel
    points: Points
    transaction_id: GivenId | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold command: the body, its sender, and the id of the hold to create."""

    hold_id: UUID
    client: str
    body: HoldBody


@dataclass(frozen=True, slots=True)
class Redeem:
    hold_id: UUID
    client: str
    body: RedeemBody


@dataclass(frozen=True, slots=True)
class Capture:
    hold_id: UUID
    body: CaptureBody


@dataclass(frozen=True, slots=True)
class ReleaseHold:
    hold_id: UUID
    body: ReleaseHoldBody


Command = Hold | Redeem | Capture | ReleaseHold
