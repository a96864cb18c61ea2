"""Stock over all channels: units per location, and how many EC can sell."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid5

from projections.core import (
    Change,
    LevelReading,
    Projection,
    Row,
    View,
    key,
    latest_by,
    level,
    maximum,
    plain,
    total,
)
from schemas.generated.events import (
    AllocationReleased,
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
    ReservationCommitted,
    StockAdjusted,
    StockAllocated,
    StockCounted,
    StockPolicySet,
    StockReceived,
    StockShipped,
    StockStateChanged,
    TransferReceived,
    TransferShipped,
)

projection = Projection("shared_stock", version=2)

cell = projection.table(
    "stock_cell",
    sku=key("text"),
    location_id=key("text"),
    on_hand=level(),
    committed=total(),
    unavailable=total(),
    incoming=total(),
    view=View(by=("sku",)),
    contended=True,
    versioned=True,
)
# units that are held and whose order is not in the log yet; the location of those that none serves
# yet is ""
RESERVED = projection.held(
    "stock_hold",
    beside=cell,
    by={"sku": "sku", "location_id": "served_by"},
    amount="quantity",
    sums=("stock_reserved", "reserved"),
    ended_by=ReservationCommitted,
    named={"id": "reservation_id", "sku": "sku", "served_by": "location_id"},
    awaiting="committed",
    mark="applied_version",
    fact_id=lambda hold: promise_id(hold["id"], hold["sku"], hold["location_id"]),
)
# the past of what `stock_cell` only sums up: every reading, and each move of what is not on hand;
# moves of on hand are in `stock_cell_change`, so a sale or a receipt writes nothing here
count = projection.ledger(
    "stock_count",
    sku=plain("text"),
    location_id=plain("text"),
    counted_at=plain("bigint"),
    quantity=plain("bigint"),
    indexes=(("sku", "location_id", "counted_at"),),
)
promise = projection.ledger(
    "stock_promise",
    sku=plain("text"),
    location_id=plain("text"),
    at=plain("bigint"),
    committed=plain("bigint"),
    unavailable=plain("bigint"),
    incoming=plain("bigint"),
    indexes=(("sku", "location_id", "at"),),
)
policy = projection.table(
    "stock_policy",
    location_id=key("text"),
    sku=key("text"),
    valid_from=key("bigint"),
    set_at=maximum(),
    safety_stock=latest_by("bigint", at="set_at"),
    store_share=latest_by("bigint", at="set_at"),
    company_threshold=latest_by("bigint", at="set_at"),
    moved_by="commerce.catalog",
    view=View(by=("location_id",)),
)


@projection.on(PurchaseCompleted)
def sold(event: PurchaseCompleted) -> Iterator[Row]:
    at, store = event.meta.occurred_at, event.meta.producer.channel == "STORE"
    for line in event.lines:
        # units to ship leave on hand when shipped; units sold over the counter leave at once
        if store or line.fulfilment == "IMMEDIATE":
            where = line.location_id or event.location_id
            yield cell(sku=line.sku, location_id=where, on_hand=Change(-line.quantity, at))


@projection.on(PurchaseVoided)
def voided(event: PurchaseVoided) -> Iterator[Row]:
    at, store = event.meta.occurred_at, event.meta.producer.channel == "STORE"
    for line in event.lines:
        if store or line.fulfilment == "IMMEDIATE":
            where = line.location_id or event.location_id
            yield cell(sku=line.sku, location_id=where, on_hand=Change(line.quantity, at))


@projection.on(PurchaseReturned)
def returned(event: PurchaseReturned) -> Iterator[Row]:
    at, where = event.meta.occurred_at, event.location_id
    for line in event.lines:
        back = Change(line.quantity, at)
        if line.disposition == "BACK_IN_STOCK":
            yield cell(sku=line.sku, location_id=where, on_hand=back)
        else:
            yield from _moved(line.sku, where, at, back, unavailable=line.quantity)


@projection.on(StockReceived, StockAdjusted)
def moved(event: StockReceived | StockAdjusted) -> Iterator[Row]:
    change = Change(event.quantity, event.meta.occurred_at)
    yield cell(sku=event.sku, location_id=event.location_id, on_hand=change)


@projection.on(StockCounted)
def counted(event: StockCounted) -> Iterator[Row]:
    reading = LevelReading(event.quantity, event.counted_at)
    yield cell(sku=event.sku, location_id=event.location_id, on_hand=reading)
    yield count(
        sku=event.sku,
        location_id=event.location_id,
        counted_at=event.counted_at,
        quantity=event.quantity,
    )


@projection.on(StockStateChanged)
def state_changed(event: StockStateChanged) -> Iterator[Row]:
    became = (event.from_state == "SELLABLE") - (event.to_state == "SELLABLE")
    at, units = event.meta.occurred_at, became * event.quantity
    yield from _moved(event.sku, event.location_id, at, unavailable=units)


@projection.on(StockAllocated, ReservationCommitted)
def promised(event: StockAllocated | ReservationCommitted) -> Iterator[Row]:
    at = event.meta.occurred_at
    yield from _moved(event.sku, event.location_id, at, committed=event.quantity)


@projection.on(AllocationReleased)
def released(event: AllocationReleased) -> Iterator[Row]:
    at = event.meta.occurred_at
    yield from _moved(event.sku, event.location_id, at, committed=-event.quantity)


@projection.on(StockShipped)
def shipped(event: StockShipped) -> Iterator[Row]:
    at, units = event.meta.occurred_at, -event.quantity
    yield from _moved(event.sku, event.location_id, at, Change(units, at), committed=units)


@projection.on(TransferShipped)
def transfer_shipped(event: TransferShipped) -> Iterator[Row]:
    at = event.meta.occurred_at
    left = Change(-event.quantity, at)
    yield cell(sku=event.sku, location_id=event.from_location_id, on_hand=left)
    yield from _moved(event.sku, event.to_location_id, at, incoming=event.quantity)


@projection.on(TransferReceived)
def transfer_received(event: TransferReceived) -> Iterator[Row]:
    at, came = event.meta.occurred_at, -(event.quantity + event.discrepancy)
    arrived = Change(event.quantity, at)
    yield from _moved(event.sku, event.to_location_id, at, arrived, incoming=came)


def _moved(
    sku: str, location_id: str, at: int, on_hand: Change | None = None, *,
    committed: int = 0, unavailable: int = 0, incoming: int = 0,
) -> Iterator[Row]:  # fmt: skip
    """Changes other than on hand, both in the present row and in the history."""
    yield cell(
        sku=sku, location_id=location_id, on_hand=on_hand, committed=committed,
        unavailable=unavailable, incoming=incoming,
    )  # fmt: skip
    yield promise(
        sku=sku, location_id=location_id, at=at, committed=committed, unavailable=unavailable,
        incoming=incoming,
    )  # fmt: skip


@projection.on(StockPolicySet)
def policy_set(event: StockPolicySet) -> Iterator[Row]:
    yield policy(
        location_id=event.location_id,
        sku=event.sku or "",
        valid_from=event.valid_from,
        set_at=event.meta.occurred_at,
        safety_stock=event.safety_stock,
        store_share=event.store_share,
        company_threshold=event.company_threshold,
    )


def promise_id(reservation_id: UUID, sku: str, location_id: str) -> UUID:
    """The event id of the promise of a reservation's line: a second one would be a resend.

    `location_id`: as it was asked for, "" for any.
    """
    return uuid5(reservation_id, f"{sku}|{location_id}")
