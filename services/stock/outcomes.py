"""The possible outcomes of commands on reservations; `answers` maps them to HTTP answers."""

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
    """A line's units asked for (`quantity`), held (`granted`), and available before that.

    `granted`: 0 in a denial. `reason`: a key of `REASONS`, if fewer are available than asked for.
    `unit`: what the amounts are counted in; absent for pieces.
    """

    sku: str
    location_id: str
    unit: NotRequired[str]
    quantity: int | float
    granted: int | float
    available: int | float
    reason: NotRequired[str]


class LineShortage(TypedDict):
    """A line that the location of a commit cannot serve; `available`: units it could serve."""

    sku: str
    location_id: str
    unit: NotRequired[str]
    available: int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsReserved(AcceptedCommand):
    """Units are held until `expires_at`; a dry run holds none, so `reservation_id` is None.

    `complete`: every line got all units that it asked for.
    """

    reservation_id: UUID | None
    state: Literal["open"] = "open"
    expires_at: datetime
    lines: Sequence[LineGrant]
    complete: bool
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationExtended(AcceptedCommand):
    """The units are held until `expires_at`, which is never earlier than before."""

    reservation_id: UUID
    state: Literal["open"] = "open"
    expires_at: datetime
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsPromised(AcceptedCommand):
    """The units are committed to an order; one event for each line."""

    reservation_id: UUID
    state: Literal["committed"] = "committed"
    order_id: UUID
    event_ids: Sequence[UUID]
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsReleased(AcceptedCommand):
    """The units are available again."""

    reservation_id: UUID
    state: Literal["released"] = "released"
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFewUnits(DeniedCommand):
    """Fewer units can be promised than asked for; the command holds nothing."""

    lines: Sequence[LineGrant]

    @property
    def detail(self) -> str:
        first = next(REASONS[line["reason"]] for line in self.lines if "reason" in line)
        return f"Fewer units can be promised than asked for. {first}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TooFewUnitsThere(DeniedCommand):
    """The commit's location cannot serve the lines that were reserved without a location.

    It has too few units, or the reservation has another line of the same item there. `lines`: the
    lines that it cannot serve.
    """

    lines: Sequence[LineShortage]

    @property
    def detail(self) -> str:
        return "The location cannot serve the lines without a location; see `lines`."


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationMissing(DeniedCommand):
    """Some lines have no location, and the command names none."""

    @property
    def detail(self) -> str:
        return "The reservation has lines without a location: send `location_id`."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationUnknown(DeniedCommand):
    """No reservation has the id of the command."""

    @property
    def detail(self) -> str:
        return "There is no reservation with this id."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationResolved(DeniedCommand):
    """The reservation is not open: it was committed or released before, or marked as expired."""

    state: str

    @property
    def detail(self) -> str:
        return f"The reservation is not open any more: it is {self.state}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationExpired(DeniedCommand):
    """The reservation expired before the command was decided."""

    expires_at: datetime

    @property
    def detail(self) -> str:
        return f"The reservation expired at {written(self.expires_at)}."
