"""Finds sales by what a customer has in hand: a receipt, an order number, or where and when."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from projections.core import Page, Read
from projections.core.documents import unpacked
from projections.core.instants import CalendarDate, instant
from projections.purchases import documents as told
from projections.purchases import projection, sale
from projections.purchases.sale_page import EPOCH, day_of
from projections.purchases.sale_state import settled
from schemas.currencies import MinorUnits, minor_units
from schemas.fields import AskedCode, AskedLocation

FOUND = """
select transaction_id, documents, occurred_at from sale where occurred_at is not null and {sought}
    and (%(id)s::uuid is null or (occurred_at, transaction_id) < (%(at)s::bigint, %(id)s))
order by occurred_at desc, transaction_id desc limit %(limit)s
"""
# the statement has only the conditions that are asked for, so that it uses their indexes
BY_RECEIPT = "receipt_number = %(receipt_number)s"
BY_ORDER = "(order_id = %(order_id)s or transaction_id = %(order_id)s)"
BY_DAY = "shop_day = %(shop_day)s"


class SoughtSales(BaseModel):
    """What is known of a sale; sales that have all of it are found.

    `location_id` and `day` (the business date that the sale names) are sent together. An
    `order_id` finds the sales that serve the order.
    """

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"receipt_number": "0042"}]}
    )
    receipt_number: Annotated[AskedCode, Field(min_length=1, max_length=200)] | None = None
    order_id: UUID | None = None
    location_id: Annotated[AskedLocation, Field(min_length=1, max_length=64)] | None = None
    day: CalendarDate | None = None

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if (self.location_id is None) != (self.day is None):
            raise ValueError("location_id and day: send both or neither")
        if self.receipt_number is None and self.order_id is None and self.day is None:
            raise ValueError("send receipt_number, order_id, or location_id and day")
        return self


class FoundSale(BaseModel):
    """A sale; `/v1/purchases/{transaction_id}` has all of it. `total` in minor units."""

    transaction_id: UUID
    occurred_at: datetime
    channel: str
    location_id: str
    receipt_number: str | None
    business_date: date | None
    order_id: UUID | None = Field(description="The order that it serves; null: it is the order.")
    currency: str
    minor_units: MinorUnits
    total: int


@projection.query("/v1/purchases/search", scope="purchases:read", method="POST")
async def sales_sought(read: Read, page: Page, body: SoughtSales) -> list[FoundSale]:
    """Sales with this receipt number, of this order, or of this location and day; newest first."""
    sought, values = _sought(body)
    at, last = page.after or (0, None)
    rows = await read.select(
        [sale], FOUND.format(sought=" and ".join(sought)), **values, at=at, id=last,
        limit=page.limit + 1,
    )  # fmt: skip
    shown = rows[: page.limit]
    if len(rows) > page.limit:
        read.more([shown[-1]["occurred_at"], str(shown[-1]["transaction_id"])])
    return [_sale(row) for row in shown]


def _sought(body: SoughtSales) -> tuple[list[str], dict[str, Any]]:
    """The conditions, and the values of their parameters."""
    conditions, values = list[str](), dict[str, Any]()
    if body.receipt_number is not None:
        conditions.append(BY_RECEIPT)
        values["receipt_number"] = body.receipt_number
    if body.order_id is not None:
        conditions.append(BY_ORDER)
        values["order_id"] = body.order_id
    if body.location_id is not None and body.day is not None:
        conditions.append(BY_DAY)
        values["shop_day"] = told.shop_day(body.location_id, (body.day - EPOCH).days)
    return conditions, values


def _sale(row: dict[str, Any]) -> FoundSale:
    whole = settled(unpacked(row["documents"]))
    return FoundSale(
        transaction_id=row["transaction_id"],
        occurred_at=instant(whole.at),
        channel=whole.channel,
        location_id=whole.location,
        receipt_number=whole.receipt_number,
        business_date=day_of(whole.business_date),
        order_id=None if whole.order is None else UUID(whole.order),
        currency=whole.currency,
        minor_units=minor_units(whole.currency),
        total=whole.total,
    )
