"""How many units are where, and how many may EC sell? One stock, whatever the channel."""

from __future__ import annotations

from collections.abc import Iterator

from projections.core import (
    Change,
    Projection,
    Reading,
    Row,
    View,
    key,
    latest_by,
    level,
    maximum,
    total,
)
from schemas.events import (
    AllocationReleased,
    LocationDescribed,
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

projection = Projection("shared_stock")

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
location = projection.table(
    "location",
    location_id=key("text"),
    valid_from=key("bigint"),
    described_at=maximum(),
    kind=latest_by("text", at="described_at"),
    name=latest_by("text", at="described_at"),
    latitude_e6=latest_by("bigint", at="described_at"),  # degrees by a million
    longitude_e6=latest_by("bigint", at="described_at"),
    moved_by="commerce.catalog",
    view=View(by=("location_id",)),
)


@projection.on(PurchaseCompleted)
def sold(event: PurchaseCompleted) -> Iterator[Row]:
    at, store = event.meta.occurred_at, event.meta.producer.channel == "STORE"
    for line in event.lines:
        # what will be shipped leaves when it is shipped; what crosses the counter has left
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
    at = event.meta.occurred_at
    for line in event.lines:
        judged = line.disposition == "BACK_IN_STOCK"
        yield cell(
            sku=line.sku,
            location_id=event.location_id,
            on_hand=Change(line.quantity, at),
            unavailable=0 if judged else line.quantity,
        )


@projection.on(StockReceived, StockAdjusted)
def moved(event: StockReceived | StockAdjusted) -> Iterator[Row]:
    change = Change(event.quantity, event.meta.occurred_at)
    yield cell(sku=event.sku, location_id=event.location_id, on_hand=change)


@projection.on(StockCounted)
def counted(event: StockCounted) -> Iterator[Row]:
    reading = Reading(event.quantity, event.counted_at)
    yield cell(sku=event.sku, location_id=event.location_id, on_hand=reading)


@projection.on(StockStateChanged)
def state_changed(event: StockStateChanged) -> Iterator[Row]:
    became = (event.from_state == "SELLABLE") - (event.to_state == "SELLABLE")
    yield cell(sku=event.sku, location_id=event.location_id, unavailable=became * event.quantity)


@projection.on(StockAllocated, ReservationCommitted)
def promised(event: StockAllocated | ReservationCommitted) -> Iterator[Row]:
    yield cell(sku=event.sku, location_id=event.location_id, committed=event.quantity)


@projection.on(AllocationReleased)
def released(event: AllocationReleased) -> Iterator[Row]:
    yield cell(sku=event.sku, location_id=event.location_id, committed=-event.quantity)


@projection.on(StockShipped)
def shipped(event: StockShipped) -> Iterator[Row]:
    yield cell(
        sku=event.sku,
        location_id=event.location_id,
        committed=-event.quantity,
        on_hand=Change(-event.quantity, event.meta.occurred_at),
    )


@projection.on(TransferShipped)
def transfer_shipped(event: TransferShipped) -> Iterator[Row]:
    left = Change(-event.quantity, event.meta.occurred_at)
    yield cell(sku=event.sku, location_id=event.from_location_id, on_hand=left)
    yield cell(sku=event.sku, location_id=event.to_location_id, incoming=event.quantity)


@projection.on(TransferReceived)
def transfer_received(event: TransferReceived) -> Iterator[Row]:
    yield cell(
        sku=event.sku,
        location_id=event.to_location_id,
        incoming=-(event.quantity + event.discrepancy),
        on_hand=Change(event.quantity, event.meta.occurred_at),
    )


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


@projection.on(LocationDescribed)
def described(event: LocationDescribed) -> Iterator[Row]:
    yield location(
        location_id=event.location_id,
        valid_from=event.valid_from,
        described_at=event.meta.occurred_at,
        kind=event.kind,
        name=event.name,
        latitude_e6=_millionths(event.latitude),
        longitude_e6=_millionths(event.longitude),
    )


def _millionths(degrees: float | None) -> int | None:
    return None if degrees is None else round(degrees * 1e6)
