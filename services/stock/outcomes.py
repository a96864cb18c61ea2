"""The outcomes of stock commands. Pure; `services.stock.answers` maps them to HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NotRequired, TypedDict
from uuid import UUID

from projections.core.instants import written
from services.deciding.outcomes import AcceptedCommand, DeniedCommand
from services.stock.availability import REASONS


class LineGrant(TypedDict):
    """What a line asked for and got; `reason`: a code, when it got less."""

    sku: str
    location_id: str
    quantity: int
    granted: int
    available: int
    reason: NotRequired[str]


class LineShortage(TypedDict):
    """A line that the named location cannot serve."""

    sku: str
    location_id: str
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsReserved(AcceptedCommand):
    """Units are held until `expires_at`; in a dry run the id is null."""

    reservation_id: UUID | None
    state: Literal["open"] = "open"
    expires_at: datetime
    lines: Sequence[LineGrant]
    complete: bool
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationExtended(AcceptedCommand):
    """Units are held until `expires_at`."""

    reservation_id: UUID
    state: Literal["open"] = "open"
    expires_at: datetime
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsPromised(AcceptedCommand):
    """Units are promised to an order; one event per line."""

    reservation_id: UUID
    state: Literal["committed"] = "committed"
    order_id: UUID
    event_ids: Sequence[UUID]
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsReleased(AcceptedCommand):
    """Units are available again."""

    reservation_id: UUID
    state: Literal["released"] = "released"
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFewUnits(DeniedCommand):
    """Fewer units than asked for may be promised; nothing is granted."""

    lines: Sequence[LineGrant]

    @property
    def detail(self) -> str:
        first = next(REASONS[line["reason"]] for line in self.lines if "reason" in line)
        return f"Not so many units may be promised. {first}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFewUnitsThere(DeniedCommand):
    """The named location has fewer units than the reservation holds without a location."""

    lines: Sequence[LineShortage]

    @property
    def detail(self) -> str:
        return "That location does not have them."


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationMissing(DeniedCommand):
    """Some lines have no location, and the command names none."""

    @property
    def detail(self) -> str:
        return "Lines have no location yet: send `location_id`."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationUnknown(DeniedCommand):
    """There is no reservation of that id."""

    @property
    def detail(self) -> str:
        return "There is no such reservation."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationResolved(DeniedCommand):
    """The reservation was committed or released before."""

    state: str

    @property
    def detail(self) -> str:
        return f"The reservation is {self.state}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationExpired(DeniedCommand):
    """The reservation expired before the command was decided."""

    expires_at: datetime

    @property
    def detail(self) -> str:
        return f"The reservation ended at {written(self.expires_at)}."
