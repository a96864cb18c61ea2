"""The queries about a member's purchases, and about items that these suppress."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from projections.catalog import item, need_policy, scope_of
from projections.catalog.barcodes import items_of
from projections.core import Read, Subject
from projections.core.instants import Moment, instant, micros
from projections.purchase_suppression import projection
from projections.purchase_suppression.needs import (
    Catalogue,
    Suppression,
    suppressions,
    unreturned_lines,
)
from projections.purchases import claim, sale
from projections.purchases.documents import Counted
from projections.purchases.sale_state import SettledSale, settled
from schemas.codes import normal_code
from schemas.currencies import MinorUnits, minor_units
from schemas.measures import Units, UnitTold, shown

RECENT = 20


class Candidates(BaseModel):
    """Candidate items for a recommendation; `at`: when they are shown (null: now)."""

    model_config = ConfigDict(extra="forbid")
    member_id: UUID
    candidates: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(max_length=1000)
    at: Moment | None = None


class Dropped(BaseModel):
    """An item that should not be recommended, and why: the purchase of `because_of`.

    `until` null: for ever.
    """

    sku: str
    reason: str
    bought_at: datetime
    until: datetime | None
    because_of: str


class Filtered(BaseModel):
    """The candidates to show (`kept`), and those not to show (`dropped`)."""

    kept: list[str]
    dropped: list[Dropped]


class PurchaseListLine(BaseModel):
    """One line of a purchase.

    `returned`: units that came back or were voided. `refunded`: units that were paid back although
    the goods did not come back.
    """

    line_no: int
    sku: str
    quantity: Units
    unit: UnitTold = None
    returned: Units
    refunded: Units


class Purchase(BaseModel):
    """A purchase of any channel; `total` in minor units of the currency. `lines`: of goods."""

    transaction_id: UUID
    occurred_at: datetime
    channel: str
    location_id: str
    currency: str
    minor_units: MinorUnits
    total: int
    lines: list[PurchaseListLine]


@projection.query("/v1/recommendations/filter", scope="recommendations:read", method="POST")
async def filter_candidates(read: Read, member: Subject, body: Candidates) -> Filtered:
    """Splits candidate items into those to recommend and those not to, with the reasons."""
    at = micros(body.at or datetime.now(UTC))
    lines = unreturned_lines(await _history(read, member), at)
    asked = {sku: normal_code(sku) for sku in body.candidates}
    own = await _own_skus(read, {*asked.values(), *(line.sku for line in lines)}, at)
    lines = [replace(line, sku=own[line.sku]) for line in lines] if own else lines
    items = {sku: own.get(code, code) for sku, code in asked.items()}
    catalogue = await _catalogue(read, {*items.values()}, {line.sku for line in lines}, at)
    suppressed = suppressions({*items.values()}, lines, catalogue, at)
    found = {
        sku: replace(suppressed[item], sku=sku) for sku, item in items.items() if item in suppressed
    }
    return Filtered(
        kept=[sku for sku in body.candidates if sku not in found],
        dropped=[_dropped(found[sku]) for sku in dict.fromkeys(body.candidates) if sku in found],
    )


@projection.query(
    "/v1/members/{member_id}/suppressions", scope="recommendations:read", part="suppressions"
)
async def suppressions_of(read: Read, member: Subject, at: Moment | None = None) -> list[Dropped]:
    """The bought items that should not be recommended to the member at `at` (default: now)."""
    when = micros(at or datetime.now(UTC))
    lines = unreturned_lines(await _history(read, member), when)
    own = await _own_skus(read, {line.sku for line in lines}, when)
    lines = [replace(line, sku=own[line.sku]) for line in lines] if own else lines
    skus = {line.sku for line in lines}
    found = suppressions(skus, lines, await _catalogue(read, skus, skus, when), when)
    return [_dropped(found[sku]) for sku in sorted(found)]


@projection.query("/v1/members/{member_id}/purchases", scope="members:read", part="purchases")
async def purchases_of(read: Read, member: Subject) -> list[Purchase]:
    """The newest purchases over all channels, newest first."""
    history = await _history(read, member)
    newest = sorted(history, key=lambda pair: (pair[1].at, pair[1].document), reverse=True)
    return [_purchase(*pair) for pair in newest[:RECENT]]


async def _history(read: Read, member: Subject) -> list[tuple[UUID, SettledSale]]:
    """The member's sales with all their corrections, and the guests' sales that it claimed."""
    profiles = list(member.ids)
    claims, rows = await read.together(
        (claim, {"profile_id": profiles}), (sale, {"owner_id": profiles})
    )
    if claims:
        # a guest's sale is its own owner; a sale that has an owner cannot be claimed
        rows += await read.rows(sale, owner_id=[row["transaction_id"] for row in claims])
    sales = [(row["transaction_id"], settled(row["documents"])) for row in rows]
    return await _without_served_twice(read, sales)


async def _without_served_twice(
    read: Read, sales: list[tuple[UUID, SettledSale]]
) -> list[tuple[UUID, SettledSale]]:
    """Leaves out what a till rang up of an order that had been handed out before."""
    of_orders = [UUID(whole.document) for _, whole in sales if whole.order is not None]
    if not of_orders:
        return sales
    rows = await read.listed(
        "units_served_twice", "select * from ({listed}) d where event_id = any(%(ids)s)",
        ids=of_orders,
    )  # fmt: skip
    twice: dict[str, dict[Counted, int]] = defaultdict(dict)
    for row in rows:
        twice[row["event_id"].hex][row["sku"], row["unit"]] = row["quantity"]
    for _, whole in sales:
        whole.take_off(twice.get(whole.document, {}))
    return [(key, whole) for key, whole in sales if not whole.document or whole.sells_anything]


async def _own_skus(read: Read, codes: set[str], at: int) -> dict[str, str]:
    """By code, the own sku of its item; empty if each code is its item's own."""
    items = await items_of(read, codes, at)
    own = {code: item.sku for code, item in items.items()}
    return own if any(code != sku for code, sku in own.items()) else {}


async def _catalogue(read: Read, candidates: set[str], bought: set[str], at: int) -> Catalogue:
    """The catalogue of these items, with policies of candidates that a purchase may suppress."""
    items = await read.rows(item, sku=candidates | bought)
    categories: dict[str, set[str]] = defaultdict(set)
    for row in items:
        categories[row["sku"]].add(row["category"])
    met = {category for sku in bought for category in categories[sku]}
    products = {row["product_id"] for row in items if row["sku"] in bought} - {None}
    variants = {row["sku"] for row in items if row["product_id"] in products}
    of_variants = {category for sku in variants for category in categories[sku]}
    general = met | of_variants
    scopes = {scope_of(None, None), *(scope_of(None, category) for category in general)}
    scopes |= {
        scope_of(sku, None)
        for sku in candidates
        if sku in bought or sku in variants or not met.isdisjoint(categories[sku])
    }
    return Catalogue(items, await read.rows(need_policy, scope=scopes), at)


def _dropped(suppression: Suppression) -> Dropped:
    return Dropped(
        sku=suppression.sku,
        reason=suppression.reason,
        bought_at=instant(suppression.bought_at),
        until=None if suppression.until is None else instant(suppression.until),
        because_of=suppression.because_of,
    )


def _purchase(transaction_id: UUID, whole: SettledSale) -> Purchase:
    return Purchase(
        transaction_id=transaction_id,
        occurred_at=instant(whole.at),
        channel=whole.channel,
        location_id=whole.location,
        currency=whole.currency,
        minor_units=minor_units(whole.currency),
        total=whole.total,
        lines=[
            PurchaseListLine(
                line_no=sold.line.line_no,
                sku=sold.line.sku,
                quantity=shown(sold.line.quantity, sold.line.unit),
                unit=sold.line.unit,
                returned=shown(sold.returned + sold.voided, sold.line.unit),
                refunded=shown(sold.refunded, sold.line.unit),
            )
            for sold in whole.shown_lines
            if sold.line.goods
        ],
    )
