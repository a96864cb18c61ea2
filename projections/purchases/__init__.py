"""Purchases and returns of all channels, and who owns them.

Data of general use: other projections may read these tables and derive from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from projections.core import Projection, Row, View, first, key, plain
from projections.core.documents import Documents
from projections.core.tables import RowKey
from projections.purchases import documents as told
from projections.purchases.item_codes import ask_about_codes
from projections.purchases.sale_state import settled
from projections.purchases.settlements import of_settlement
from schemas.generated.events import (
    DiscrepancySettled,
    OrderLineCancelled,
    PriceAdjusted,
    PurchaseAmended,
    PurchaseAttributed,
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
)
from schemas.measures import place

# discrepancies of documents with their sale
MISFITS = ("over_return", "unknown_sale", "unknown_line", "sums")

projection = Projection(
    "purchases",
    version=6,
    formerly=("purchase_suppression",),
    former_tables=("purchase", "purchase_return"),
)


NOT_TOLD: Mapping[str, None] = dict.fromkeys(
    ("owner_id", "occurred_at", "receipt_number", "order_id", "shop_day")
)


def _summary(key: RowKey, documents: Documents) -> Mapping[str, Any]:
    """Who bought, when, and by what the sale is found; null until the sale itself is told.

    A guest's sale is its own owner.
    """
    if len(documents) == 1:
        (first_told,) = documents.values()
        if first_told[0] != told.COMPLETED:
            return NOT_TOLD
    else:
        own = [(one[1], name, one) for name, one in documents.items() if one[0] == told.COMPLETED]
        if not own:
            return NOT_TOLD
        _, _, first_told = min(own)
    owner = first_told[2]
    receipt_number, order, shop_day = told.found_by(first_told)
    return {
        "owner_id": key[0] if owner is None else bytes.fromhex(owner),
        "occurred_at": first_told[1],
        "receipt_number": receipt_number,
        "order_id": None if order is None else bytes.fromhex(order),
        "shop_day": shop_day,
    }


sale = projection.documents(
    "sale",
    transaction_id=key("uuid"),
    owner_id=plain("uuid"),
    occurred_at=plain("bigint"),
    receipt_number=plain("text"),
    order_id=plain("uuid"),
    shop_day=plain("text"),
    summary=_summary,
    view=View(by=("owner_id",)),
    indexes=(("owner_id", "occurred_at"),),
    sparse=("receipt_number", "order_id", "shop_day"),
)
ask_about_codes(projection, "sale_code", sale, told.codes_named_otherwise)
# the first claim in the log keeps the sale: all claims of a sale have one record key
claim = projection.table(
    "purchase_claim",
    transaction_id=key("uuid"),
    profile_id=first("uuid"),
    claimed_at=first("bigint"),
    treatment=first("text"),
    view=View(by=("profile_id",)),
    indexes=(("profile_id",),),
)
# every claim, to list those that came too late
told_claim = projection.ledger(
    "purchase_claim_told",
    at=plain("bigint"),
    transaction_id=plain("uuid"),
    profile_id=plain("uuid"),
    indexes=(("transaction_id",),),
)
# `location_id`: of what is measured a place (`schemas.measures`)
discrepancy = projection.ledger(
    "purchase_discrepancy",
    kind=plain("text"),
    at=plain("bigint"),
    transaction_id=plain("uuid"),
    sku=plain("text"),
    location_id=plain("text"),
    quantity=plain("bigint"),
    indexes=(("kind", "at"), ("transaction_id",)),
)


@projection.on(PurchaseCompleted)
def bought(event: PurchaseCompleted) -> Iterator[Row]:
    yield sale(transaction_id=event.transaction_id, document=told.of_sale(event))


@projection.on(PurchaseReturned)
def returned(event: PurchaseReturned) -> Iterator[Row]:
    yield sale(transaction_id=event.transaction_id, document=told.of_return(event))


@projection.on(PurchaseVoided)
def voided(event: PurchaseVoided) -> Iterator[Row]:
    yield sale(transaction_id=event.transaction_id, document=told.of_void(event))


@projection.on(OrderLineCancelled)
def cancelled(event: OrderLineCancelled) -> Iterator[Row]:
    yield sale(transaction_id=event.transaction_id, document=told.of_cancel(event))


@projection.on(PurchaseAmended)
def amended(event: PurchaseAmended) -> Iterator[Row]:
    yield sale(transaction_id=event.transaction_id, document=told.of_amendment(event))


@projection.on(PriceAdjusted)
def price_adjusted(event: PriceAdjusted) -> Iterator[Row]:
    yield sale(transaction_id=event.transaction_id, document=told.of_price(event))


@projection.on(PurchaseAttributed)
def claimed(event: PurchaseAttributed) -> Iterator[Row]:
    yield claim(
        transaction_id=event.transaction_id,
        profile_id=event.profile_id,
        claimed_at=event.meta.occurred_at,
        treatment=event.points_treatment,
    )
    yield told_claim(
        at=event.meta.occurred_at,
        transaction_id=event.transaction_id,
        profile_id=event.profile_id,
    )


@projection.on(DiscrepancySettled)
def decided(event: DiscrepancySettled) -> Iterator[Row]:
    if event.subject_id is not None and event.kind in MISFITS:
        yield sale(transaction_id=event.subject_id, document=of_settlement(event))


@projection.derives(sale, discrepancy)
def discrepancies(key: RowKey, documents: Documents) -> Iterable[tuple[str, Row]]:
    """Units and money that a document names and the sale, as far as it is known, does not have;
    and a receipt whose parts do not come to its total.
    """
    if len(documents) == 1:
        (document,) = documents.values()
        if document[0] == told.COMPLETED and told.adds_up(document):
            return ()
    return _discrepancies(key, documents)


def _discrepancies(key: RowKey, documents: Documents) -> Iterator[tuple[str, Row]]:
    whole = settled(documents)
    for effect in whole.effects:
        kind = whole.misfit(effect)
        if kind is None:
            continue
        yield (
            effect.document,
            discrepancy(
                kind=kind, at=effect.at, transaction_id=key[0], sku=effect.sku,
                location_id=place(effect.location, effect.unit),
                quantity=None if kind == "sums" else effect.over,
            ),
        )  # fmt: skip
    if whole.known and whole.not_adding_up:
        yield (
            whole.told,
            discrepancy(
                kind="sums", at=whole.told_at, transaction_id=key[0], sku="",
                location_id=whole.location, quantity=None,
            ),
        )  # fmt: skip
