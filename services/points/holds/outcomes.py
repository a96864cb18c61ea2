"""The outcomes of commands on point holds. Pure; `answers` maps them to HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict
from uuid import UUID

from projections.core.instants import written
from services.deciding.outcomes import AcceptedCommand, DeniedCommand


class TakenLot(TypedDict):
    """Points taken from one lot of one profile."""

    profile_id: UUID
    lot_id: UUID
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsHeld(AcceptedCommand):
    """Points are held until `expires_at`; a dry run creates no hold, so the id is null.

    `available`: what the member can still spend; `version`: the number of entries it was computed
    from.
    """

    hold_id: UUID | None
    state: Literal["open"] = "open"
    expires_at: datetime
    points: int
    allocations: Sequence[TakenLot]
    available: int
    dry_run: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsSpent(AcceptedCommand):
    """Points are spent without an earlier hold; in a dry run the id is null."""

    hold_id: UUID | None
    state: Literal["captured"] = "captured"
    points: int
    event_id: UUID
    allocations: Sequence[TakenLot]
    available: int
    dry_run: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldCaptured(AcceptedCommand):
    """A hold's points are spent; `freed`: the rest of the hold."""

    hold_id: UUID
    state: Literal["captured"] = "captured"
    points: int
    event_id: UUID
    allocations: Sequence[TakenLot]
    freed: int
    available: int
    dry_run: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReleased(AcceptedCommand):
    """The hold's points are available again."""

    hold_id: UUID
    state: Literal["released"] = "released"
    available: int
    dry_run: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFewPoints(DeniedCommand):
    """The member has fewer points to spend than asked for."""

    available: int
    version: int

    @property
    def detail(self) -> str:
        return "The member does not have so many points to spend."


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTooSmall(DeniedCommand):
    """More is to be captured than the hold has; `available`: what it has."""

    available: int

    @property
    def detail(self) -> str:
        return f"The hold is of {self.available} points."


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldUnknown(DeniedCommand):
    """There is no hold of that id."""

    @property
    def detail(self) -> str:
        return "There is no such hold."


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldResolved(DeniedCommand):
    """The hold was captured or released before."""

    state: str

    @property
    def detail(self) -> str:
        return f"The hold is {self.state}."


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldExpired(DeniedCommand):
    """The hold expired before the command was decided."""

    expires_at: datetime

    @property
    def detail(self) -> str:
        return f"The hold ended at {written(self.expires_at)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileUnknown(DeniedCommand):
    """No event about this profile was applied."""

    @property
    def detail(self) -> str:
        return "Nothing is known of that profile."
