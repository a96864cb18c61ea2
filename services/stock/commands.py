"""The request bodies of stock commands; durations in seconds, quantities in units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.fields import GivenId
from services.http.postgres_limits import printable

LINES_MAX, QUANTITY_MAX = 100, 1_000_000
TTL_DEFAULT, TTL_MAX = 600, 7 * 86_400


Code = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(printable)]
Ttl = Annotated[int, Field(ge=1, le=TTL_MAX)]


class _StockBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    dry_run: bool = Field(False, description="Decide, and keep nothing.")


class OrderLine(BaseModel):
    """Units of one item at one location; "" when the order has no location yet."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    sku: Code
    location_id: Code | Literal[""] = ""
    quantity: int = Field(ge=1, le=QUANTITY_MAX)


def _told_apart(lines: list[OrderLine]) -> list[OrderLine]:
    places = [(line.sku, line.location_id) for line in lines]
    if len(set(places)) != len(places):
        raise ValueError("an item at a location may occur in one line only")
    return lines


class ReserveBody(_StockBody):
    """Holds units for `ttl_seconds`: all lines or none, or with `best_effort` as much as
    there is.
    """

    channel: Literal["STORE", "EC", "CALL_CENTRE", "OTHER"]
    lines: Annotated[
        list[OrderLine], Field(min_length=1, max_length=LINES_MAX), AfterValidator(_told_apart)
    ]
    ttl_seconds: Ttl = TTL_DEFAULT
    mode: Literal["all_or_nothing", "best_effort"] = "all_or_nothing"


class ExtendBody(_StockBody):
    """Extends the hold to so many seconds from now; never shortens it."""

    ttl_seconds: Ttl = TTL_DEFAULT


class CommitBody(_StockBody):
    """The reservation becomes an order's promise and no longer expires.

    `location_id`: the location that serves the lines without one.
    """

    order_id: GivenId
    location_id: Code | None = None


class ReleaseBody(_StockBody):
    """Releases the units."""


@dataclass(frozen=True, slots=True)
class Reserve:
    """A reserve command: the body, its sender, and the id of the reservation to create."""

    reservation_id: UUID
    client: str
    body: ReserveBody


@dataclass(frozen=True, slots=True)
class Extend:
    reservation_id: UUID
    body: ExtendBody


@dataclass(frozen=True, slots=True)
class Commit:
    reservation_id: UUID
    body: CommitBody


@dataclass(frozen=True, slots=True)
class ReleaseReservation:
    reservation_id: UUID
    body: ReleaseBody


Command = Reserve | Extend | Commit | ReleaseReservation
