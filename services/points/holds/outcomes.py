"""The possible outcomes of commands on point holds; `answers` maps them to HTTP answers."""

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
    """Points are held until `expires_at`; a dry run creates no hold, so `hold_id` is None.

    `available`: points that the member can still spend; `version`: the number of ledger entries
    from which that was computed.
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
    """Points are spent without an earlier hold; in a dry run `hold_id` is None."""

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
    """Points of a hold are spent; `freed`: points of the hold that are released."""

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
        return f"The member can spend only {self.available} points."


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldTooSmall(DeniedCommand):
    """The command captures more points than the hold has; `available`: points of the hold."""

    available: int

    @property
    def detail(self) -> str:
        return f"The hold has only {self.available} points."


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldUnknown(DeniedCommand):
    """No hold has the id of the command."""

    @property
    def detail(self) -> str:
        return "There is no hold with this id."


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldResolved(DeniedCommand):
    """The hold is not open: it was captured or released before, or marked as expired."""

    state: str

    @property
    def detail(self) -> str:
        return f"The hold is not open any more: it is {self.state}."


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldExpired(DeniedCommand):
    """The hold expired before the command was decided."""

    expires_at: datetime

    @property
    def detail(self) -> str:
        return f"The hold expired at {written(self.expires_at)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileUnknown(DeniedCommand):
    """No table of a member's page has a row about this profile."""

    @property
    def detail(self) -> str:
        return "No event about this profile has been applied."
