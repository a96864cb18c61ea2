"""Stock over all channels: units per location, and how many EC can sell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
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
from projections.core.documents import Documents
from projections.core.level_parts import LevelParts
from projections.core.tables import RowKey
from projections.purchases import sale
from projections.purchases.item_codes import ask_about_codes
from projections.purchases.settlements import of_settlement
from projections.shared_stock import deliveries, order_steps, orders, sales, transfers, zones
from projections.shared_stock.moves import DatedMove, DatedUnits, Misfit, Move
from projections.shared_stock.ordered_items import codes_named_otherwise
from schemas.generated.events import (
    AllocationReleased,
    DiscrepancySettled,
    InboundExpected,
    LocationDescribed,
    OrderLineHandedOver,
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
from schemas.measures import Amount, amount, location_and_unit, location_sql, place

# discrepancies of documents with their order, and with their transfer or delivery
OF_ORDERS = ("shipped_unordered", "released_after_end", "doubled_document")
OF_TRANSFERS = ("over_received", "misrouted")

projection = Projection("shared_stock", version=6)

# `location_id`, here and below: of what is measured a place, whose amounts are in thousandths of a
# unit (`schemas.measures`)
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
    read={"location_id": lambda event: place(event.location_id, _amount(event).unit)},
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
    zone=plain("text"),
    indexes=(("sku", "location_id", "counted_at"),),
    sparse=("zone",),
)
# the zone in which units of a location move, by the time from which on
selling_zone = projection.table(
    "stock_selling_zone",
    location_id=key("text"),
    valid_from=key("bigint"),
    set_at=maximum(),
    zone=latest_by("text", at="set_at"),
)
projection.in_parts(
    LevelParts(
        table=cell, readings=count, named=("counted_at", "quantity", "zone"),
        settings=selling_zone, by="location_id", setting="zone", sql=zones.ON_HAND,
        value=zones.on_hand, setting_of=lambda place: location_and_unit(place)[0],
        setting_sql=location_sql,
    )
)  # fmt: skip
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


def _no_summary(key: RowKey, documents: Documents) -> Mapping[str, Any]:
    return {}


# documents about an order, and what sales with lines of it say: `orders.py` derives the moves
order = projection.documents("stock_order", order_id=key("uuid"), summary=_no_summary)
ask_about_codes(projection, "stock_order_code", order, codes_named_otherwise)
transfer = projection.documents("stock_transfer", transfer_id=key("uuid"), summary=_no_summary)
# what is announced of an item by a purchase order or shipping notice, and the receipts that name it
delivery = projection.documents("stock_delivery", delivery_id=key("uuid"), summary=_no_summary)
# units that are expected, and preordered units, by the time at which they are expected: those of
# now, and each change. They are also in `incoming` and `committed` of their cell
expected = projection.ledger(
    "stock_expected",
    sku=plain("text"),
    location_id=plain("text"),
    expected_at=plain("bigint"),
    incoming=plain("bigint"),
    preordered=plain("bigint"),
    indexes=(("sku", "location_id"),),
)
expected_move = projection.ledger(
    "stock_expected_move",
    sku=plain("text"),
    location_id=plain("text"),
    at=plain("bigint"),
    expected_at=plain("bigint"),
    incoming=plain("bigint"),
    preordered=plain("bigint"),
    indexes=(("sku", "location_id", "at"),),
)
# documents that do not fit an order, transfer or delivery; the subject is the order's or transfer's
# id, or the delivery's. `resolution`: which side people decided to be right
discrepancy = projection.ledger(
    "stock_discrepancy",
    kind=plain("text"),
    at=plain("bigint"),
    subject_id=plain("uuid"),
    sku=plain("text"),
    location_id=plain("text"),
    quantity=plain("bigint"),
    resolution=plain("text"),
    indexes=(("kind", "at"), ("subject_id",)),
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


@projection.on(StockReceived, StockAdjusted)
def moved(event: StockReceived | StockAdjusted) -> Iterator[Row]:
    quantity, at = event.quantity, event.location_id
    if event.scale or event.unit is not None:
        quantity, unit = _amount(event)
        at = place(event.location_id, unit)
    yield cell(sku=event.sku, location_id=at, on_hand=Change(quantity, event.meta.occurred_at))


@projection.on(InboundExpected)
def announced(event: InboundExpected) -> Iterator[Row]:
    key = deliveries.delivery_id(event.document_id, event.sku)
    yield delivery(delivery_id=key, document=deliveries.of_expected(event))


@projection.on(StockReceived)
def arrived(event: StockReceived) -> Iterator[Row]:
    if event.reference is not None or event.document_id is not None:
        for key, document in deliveries.of_receipt(event):
            yield delivery(delivery_id=key, document=document)


@projection.on(StockCounted)
def counted(event: StockCounted) -> Iterator[Row]:
    quantity, unit = _amount(event)
    at = place(event.location_id, unit)
    yield cell(sku=event.sku, location_id=at, on_hand=LevelReading(quantity, event.counted_at))
    yield count(
        sku=event.sku, location_id=at, counted_at=event.counted_at, quantity=quantity,
        zone=event.zone,
    )  # fmt: skip


@projection.on(LocationDescribed)
def location_described(event: LocationDescribed) -> Iterator[Row]:
    if event.selling_zone is not None:
        yield selling_zone(
            location_id=event.location_id, valid_from=event.valid_from,
            set_at=event.meta.occurred_at, zone=event.selling_zone,
        )  # fmt: skip


@projection.on(StockStateChanged)
def state_changed(event: StockStateChanged) -> Iterator[Row]:
    became = (event.from_state == "SELLABLE") - (event.to_state == "SELLABLE")
    quantity, unit = _amount(event)
    at, units = place(event.location_id, unit), became * quantity
    yield cell(
        sku=event.sku, location_id=at, on_hand=None, committed=0, unavailable=units, incoming=0
    )
    yield promise(
        sku=event.sku, location_id=at, at=event.meta.occurred_at, committed=0, unavailable=units,
        incoming=0,
    )  # fmt: skip


@projection.on(StockAllocated)
def allocated(event: StockAllocated) -> Iterator[Row]:
    yield order(order_id=event.order_id, document=orders.of_line(order_steps.ALLOCATED, event))


@projection.on(ReservationCommitted)
def reserved(event: ReservationCommitted) -> Iterator[Row]:
    yield order(order_id=event.order_id, document=orders.of_line(order_steps.RESERVED, event))


@projection.on(AllocationReleased)
def released(event: AllocationReleased) -> Iterator[Row]:
    yield order(order_id=event.order_id, document=orders.of_line(order_steps.RELEASED, event))


@projection.on(StockShipped, OrderLineHandedOver)
def shipped(event: StockShipped | OrderLineHandedOver) -> Iterator[Row]:
    yield order(order_id=event.order_id, document=orders.of_line(order_steps.SHIPPED, event))


@projection.on(TransferShipped)
def transfer_shipped(event: TransferShipped) -> Iterator[Row]:
    yield transfer(transfer_id=event.transfer_id, document=transfers.of_shipped(event))


@projection.on(TransferReceived)
def transfer_received(event: TransferReceived) -> Iterator[Row]:
    yield transfer(transfer_id=event.transfer_id, document=transfers.of_received(event))


@projection.on(DiscrepancySettled)
def decided(event: DiscrepancySettled) -> Iterator[Row]:
    if event.subject_id is None:
        return
    if event.kind in OF_ORDERS:
        yield order(order_id=event.subject_id, document=of_settlement(event))
    elif event.kind in OF_TRANSFERS:
        # one of the two has such a document; in the set of the other the decision means nothing
        yield transfer(transfer_id=event.subject_id, document=of_settlement(event))
        yield delivery(delivery_id=event.subject_id, document=of_settlement(event))


@projection.derives(sale, cell, promise, order)
def sale_moves(key: RowKey, documents: Documents) -> Iterable[tuple[str, Row]]:
    """Units that a sale and its corrections move; what has to be sent goes to the order."""
    plain = sales.sold_at_once(documents)
    if plain is None:
        return _sale_moves(key, documents)
    (name,) = documents
    at, location = plain[1], plain[4]
    return [(name, cell.change((sku, location), -quantity, at)) for _, sku, quantity, _ in plain[9]]


def _sale_moves(key: RowKey, documents: Documents) -> Iterator[tuple[str, Row]]:
    for document, move in sales.moves(key, documents):
        if isinstance(move, sales.OrderEntries):
            yield document, order(order_id=move.order_id, document=move.document)
        else:
            yield from _rows(document, move)


@projection.derives(order, cell, promise, expected, expected_move, discrepancy)
def order_moves(key: RowKey, documents: Documents) -> Iterator[tuple[str, Row]]:
    """Units that an order holds, and units that leave for it."""
    moves, preordered, misfits = orders.moves(documents)
    yield from _all(key[0], moves, misfits)
    yield from _dated(preordered)


@projection.derives(delivery, cell, promise, expected, expected_move, discrepancy)
def delivery_moves(key: RowKey, documents: Documents) -> Iterator[tuple[str, Row]]:
    """Units that are on their way from a supplier."""
    moves, incoming, misfits = deliveries.moves(documents)
    yield from _all(key[0], moves, misfits)
    yield from _dated(incoming)


@projection.derives(transfer, cell, promise, discrepancy)
def transfer_moves(key: RowKey, documents: Documents) -> Iterator[tuple[str, Row]]:
    """Units that left one location, and units that arrived at another."""
    yield from _all(key[0], *transfers.moves(documents))


def _all(
    subject: bytes, moves: Iterable[tuple[str, Move | DatedMove]], misfits: Iterable[Misfit]
) -> Iterator[tuple[str, Row]]:
    for document, move in moves:
        if isinstance(move, DatedMove):
            yield document, _dated_row(move)
        else:
            yield from _rows(document, move)
    for misfit in misfits:
        yield (
            misfit.document,
            discrepancy(
                kind=misfit.kind, at=misfit.at, subject_id=subject, sku=misfit.sku,
                location_id=misfit.location, quantity=misfit.quantity,
                resolution=misfit.resolution,
            ),
        )  # fmt: skip


def _dated_row(move: DatedMove) -> Row:
    return expected_move(
        sku=move.sku, location_id=move.location, at=move.at, expected_at=move.expected_at,
        incoming=move.incoming, preordered=move.preordered,
    )  # fmt: skip


def _dated(dated: Iterable[DatedUnits]) -> Iterator[tuple[str, Row]]:
    for units in dated:
        yield (
            units.document,
            expected(
                sku=units.sku, location_id=units.location, expected_at=units.expected_at,
                incoming=units.incoming, preordered=units.preordered,
            ),
        )  # fmt: skip


def _rows(document: str, move: Move) -> Iterator[tuple[str, Row]]:
    """A move as a change of the present row; what is not on hand is in the history as well."""
    change = Change(move.on_hand, move.at) if move.on_hand else None
    yield (
        document,
        cell(
            sku=move.sku, location_id=move.location, on_hand=change, committed=move.committed,
            unavailable=move.unavailable, incoming=move.incoming,
        ),
    )  # fmt: skip
    if move.committed or move.unavailable or move.incoming:
        yield (
            document,
            promise(
                sku=move.sku, location_id=move.location, at=move.at, committed=move.committed,
                unavailable=move.unavailable, incoming=move.incoming,
            ),
        )  # fmt: skip


def _amount(
    event: StockReceived | StockAdjusted | StockCounted | StockStateChanged | ReservationCommitted,
) -> Amount:
    return amount(event.quantity, event.unit, event.scale)


@projection.on(StockPolicySet)
def policy_set(event: StockPolicySet) -> Iterator[Row]:
    yield policy(
        location_id=event.location_id, sku=event.sku or "", valid_from=event.valid_from,
        set_at=event.meta.occurred_at, safety_stock=event.safety_stock,
        store_share=event.store_share, company_threshold=event.company_threshold,
    )  # fmt: skip


def promise_id(reservation_id: UUID, sku: str, location_id: str) -> UUID:
    """The event id of the promise of a reservation's line: a second one would be a resend.

    `location_id`: as it was asked for, "" for any.
    """
    return uuid5(reservation_id, f"{sku}|{location_id}")
