"""The commands on reservations and their request bodies; durations in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from operator import not_
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.codes import normal_code, upper_code
from schemas.fields import GivenId
from schemas.measures import DECIMALS_MAX, Amount, amount, place
from services.http.postgres_limits import printable

LINES_MAX, QUANTITY_MAX = 100, 1_000_000
TTL_DEFAULT, TTL_MAX = 600, 7 * 86_400


Code = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(printable)]
_CODE = Field(min_length=1, max_length=64)
ItemCode = Annotated[str, _CODE, AfterValidator(normal_code), AfterValidator(printable)]
LocationCode = Annotated[str, _CODE, AfterValidator(upper_code), AfterValidator(printable)]
Unit = Annotated[
    Code | None, Field(description="What the quantity is counted in, e.g. kg; pieces when absent.")
]
Decimals = Annotated[
    int,
    Field(
        ge=0, le=DECIMALS_MAX, description="Decimal places of the quantity: 354 with 3 is 0.354."
    ),
]
Ttl = Annotated[int, Field(ge=1, le=TTL_MAX)]


class _StockBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    dry_run: bool = Field(False, description="Decides and answers, but stores nothing.")


class OrderLine(BaseModel):
    """Units of one item at one location; `location_id` "": the order has no location yet.

    `unit` and `scale` as in events.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    sku: ItemCode
    location_id: LocationCode | Literal[""] = ""
    quantity: int = Field(ge=1, le=QUANTITY_MAX)
    # not said where they say nothing: a body of before they existed has the same hash
    unit: Unit = Field(None, exclude_if=not_)
    scale: Decimals = Field(0, exclude_if=not_)

    @property
    def amount(self) -> Amount:
        """The quantity as it is stored."""
        return amount(self.quantity, self.unit, self.scale)

    @property
    def spot(self) -> tuple[str, str]:
        """The item and the place of its stock."""
        if self.unit is None and not self.scale:
            return self.sku, self.location_id
        return self.sku, place(self.location_id, self.amount.unit)


def _told_apart(lines: list[OrderLine]) -> list[OrderLine]:
    places = [line.spot for line in lines]
    if len(set(places)) != len(places):
        raise ValueError("lines must not repeat the same item at the same location")
    return lines


class ReserveBody(_StockBody):
    """Holds units for `ttl_seconds`.

    With `all_or_nothing` it is denied if a line lacks units. `best_effort` holds the units that
    there are, of each line all or some; it is denied if there are none.
    """

    channel: Literal["STORE", "EC", "CALL_CENTRE", "OTHER"]
    lines: Annotated[
        list[OrderLine], Field(min_length=1, max_length=LINES_MAX), AfterValidator(_told_apart)
    ]
    ttl_seconds: Ttl = TTL_DEFAULT
    mode: Literal["all_or_nothing", "best_effort"] = "all_or_nothing"


class ExtendBody(_StockBody):
    """Extends the reservation to `ttl_seconds` from now; never shortens it."""

    ttl_seconds: Ttl = TTL_DEFAULT


class CommitBody(_StockBody):
    """Commits the reservation to an order, so that it no longer expires.

    `location_id`: the location that serves the lines that were reserved without a location.
    """

    order_id: GivenId
    location_id: LocationCode | None = None


class ReleaseBody(_StockBody):
    """Ends the reservation; its units are available again."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """A command to reserve units. `reservation_id`: of the reservation to create; `client`: the
    token's name.
    """

    reservation_id: UUID
    client: str
    body: ReserveBody


@dataclass(frozen=True, slots=True)
class Extend:
    """A command to hold a reservation longer."""

    reservation_id: UUID
    body: ExtendBody


@dataclass(frozen=True, slots=True)
class Commit:
    """A command to commit a reservation to an order."""

    reservation_id: UUID
    body: CommitBody


@dataclass(frozen=True, slots=True)
class ReleaseReservation:
    """A command to end a reservation."""

    reservation_id: UUID
    body: ReleaseBody


Command = Reserve | Extend | Commit | ReleaseReservation
