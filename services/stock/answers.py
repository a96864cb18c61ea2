"""The response bodies of the stock routes, and the problem for each denial."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from schemas.measures import Units
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

# applied: committed, and the event of the commit is applied to the stock
State = Literal["open", "committed", "applied", "released", "expired"]
Channel = Literal["STORE", "EC", "CALL_CENTRE", "OTHER"]


COUNTED_IN = Field(None, description="What the amounts are counted in; absent for pieces.")


class ReservedLine(AnswerModel):
    """A line of a reservation: units asked for (`quantity`) and units held (`granted`)."""

    sku: str
    location_id: str
    unit: str | SkipJsonSchema[None] = COUNTED_IN
    quantity: Units
    granted: Units
    available: Units = Field(
        description="Units that this channel could reserve there, after the lines above."
    )
    reason: str | SkipJsonSchema[None] = Field(
        None, description="Code of the limit, if `granted` is less than `quantity`."
    )


class ShortLine(AnswerModel):
    """A line of a denied command; `available`: units that could be promised there.

    A reservation: every line of the command, with `granted` 0, and `reason` where units are
    missing. A commit: the lines that its location cannot serve, without `quantity`, `granted` and
    `reason`.
    """

    sku: str
    location_id: str
    unit: str | SkipJsonSchema[None] = COUNTED_IN
    available: Units
    quantity: Units | SkipJsonSchema[None] = None
    granted: Units | SkipJsonSchema[None] = None
    reason: str | SkipJsonSchema[None] = None


class Reserved(AnswerModel):
    """A reservation that was created; a dry run creates none, so `reservation_id` is absent."""

    reservation_id: UUID | SkipJsonSchema[None] = None
    state: Literal["open"]
    expires_at: datetime
    lines: list[ReservedLine]
    complete: bool = Field(description="Whether every line got all units that it asked for.")
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
    """The reservation is committed to an order; `event_ids`: one event for each line."""

    reservation_id: UUID
    state: Literal["committed"]
    order_id: UUID
    event_ids: list[UUID]
    dry_run: bool
    position: Position


class ReleasedUnits(AnswerModel):
    """A reservation that was released: its units are available again."""

    reservation_id: UUID
    state: Literal["released"]
    dry_run: bool
    position: Position


class ReservationLine(AnswerModel):
    """Units of one item at one location; `location_id` "": held without a location."""

    sku: str
    location_id: str
    unit: str | SkipJsonSchema[None] = COUNTED_IN
    quantity: Units


class Reservation(AnswerModel):
    """The state of a reservation; `applied`: it is committed, and the stock includes the commit."""

    reservation_id: UUID
    state: State
    channel: Channel
    order_id: UUID | None
    expires_at: datetime
    lines: list[ReservationLine]


class PickedLocation(AnswerModel):
    """A location that has enough units for every line."""

    location_id: str
    name: str | None
    kind: str | None
    available: dict[str, Units] = Field(description="Units that the channel may reserve, by sku.")
    kilometres: float | None
    spare: Units = Field(
        description="Units beyond the wanted quantity, of the line with the fewest."
    )


class PickedLocations(AnswerModel):
    """Locations that have enough units for every line, best first."""

    locations: list[PickedLocation]
    position: Position


NO_SUCH_RESERVATION = ProblemType(
    "reservation-not-found", 404, "Not Found", "There is no reservation with this id.",
    {"position": may_be_absent(Position)},
)  # fmt: skip
OUT_OF_STOCK = ProblemType(
    "out-of-stock", 409, "Out of stock",
    "Fewer units can be promised than the command asks for; see `lines`.",
    {"lines": list[ShortLine], **POSITION},
)  # fmt: skip
UNPLACED = ProblemType(
    "unplaced", 409, "No location",
    "The reservation has lines without a location; send the `location_id` that serves them.",
    POSITION,
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
