"""The response bodies of the stock routes, and the problem for each denial."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from services.deciding.answers import EXPIRED, POSITION, RESOLVED, OutcomeAnswers, Position, Yes
from services.http.operation import AnswerModel
from services.http.problem_type import ProblemType, may_be_absent
from services.stock.outcomes import (
    LocationMissing,
    ReservationExpired,
    ReservationExtended,
    ReservationResolved,
    ReservationUnknown,
    TooFewUnits,
    TooFewUnitsThere,
    UnitsPromised,
    UnitsReleased,
    UnitsReserved,
)

State = Literal["open", "committed", "released", "expired"]
Channel = Literal["STORE", "EC", "CALL_CENTRE", "OTHER"]


class ReservedLine(AnswerModel):
    """An item at a location, with the number of units held."""

    sku: str
    location_id: str
    quantity: int
    granted: int
    available: int = Field(description="What this channel could have had there.")
    reason: str | SkipJsonSchema[None] = Field(None, description="Why it is not granted whole.")


class ShortLine(AnswerModel):
    """A line that cannot be granted; `quantity` and `granted` for a reservation."""

    sku: str
    location_id: str
    available: int
    quantity: int | SkipJsonSchema[None] = None
    granted: int | SkipJsonSchema[None] = None
    reason: str | SkipJsonSchema[None] = None


class Reserved(AnswerModel):
    """A reservation that was created; in a dry run without its id."""

    reservation_id: UUID | SkipJsonSchema[None] = None
    state: Literal["open"]
    expires_at: datetime
    lines: list[ReservedLine]
    complete: bool = Field(description="Every line is granted whole.")
    dry_run: bool
    position: Position


class Extended(AnswerModel):
    """The reservation holds until `expires_at`."""

    reservation_id: UUID
    state: Literal["open"]
    expires_at: datetime
    dry_run: bool
    position: Position


class Committed(AnswerModel):
    """The reservation became an order's promise; one event per line."""

    reservation_id: UUID
    state: Literal["committed"]
    order_id: UUID
    event_ids: list[UUID]
    dry_run: bool
    position: Position


class ReleasedUnits(AnswerModel):
    """The units are available again."""

    reservation_id: UUID
    state: Literal["released"]
    dry_run: bool
    position: Position


class ReservationLine(AnswerModel):
    """Units of one item at one location."""

    sku: str
    location_id: str
    quantity: int


class Reservation(AnswerModel):
    """The state of a reservation."""

    reservation_id: UUID
    state: State
    channel: Channel
    order_id: UUID | None
    expires_at: datetime
    lines: list[ReservationLine]


class PickedLocation(AnswerModel):
    """A location that has every line."""

    location_id: str
    name: str | None
    kind: str | None
    available: dict[str, int] = Field(description="By item.")
    kilometres: float | None
    spare: int = Field(description="Of the scarcest line, beyond what is wanted.")


class PickedLocations(AnswerModel):
    """Best location first."""

    locations: list[PickedLocation]
    position: Position


NO_SUCH_RESERVATION = ProblemType(
    "reservation-not-found", 404, "Not Found", "There is no such reservation.",
    {"position": may_be_absent(Position)},
)  # fmt: skip
OUT_OF_STOCK = ProblemType(
    "out-of-stock", 409, "Out of stock",
    "Fewer units than asked for may be promised; see `lines`.",
    {"lines": list[ShortLine], **POSITION},
)  # fmt: skip
UNPLACED = ProblemType(
    "unplaced", 409, "No location",
    "The hold has lines without a location; say which serves them.", POSITION,
)  # fmt: skip
ANSWERS = OutcomeAnswers(
    accepted={
        UnitsReserved: Yes(Reserved, 201),
        ReservationExtended: Yes(Extended),
        UnitsPromised: Yes(Committed),
        UnitsReleased: Yes(ReleasedUnits),
    },
    denied={
        ReservationUnknown: NO_SUCH_RESERVATION,
        ReservationResolved: RESOLVED,
        ReservationExpired: EXPIRED,
        TooFewUnits: OUT_OF_STOCK,
        TooFewUnitsThere: OUT_OF_STOCK,
        LocationMissing: UNPLACED,
    },
)
