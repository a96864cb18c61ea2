"""What was bought, for how much, and what came back of it? What a program's rules judge by."""

from __future__ import annotations

from collections.abc import Iterator

from projections.core import Projection, Row, plain
from schemas.events import PurchaseAttributed, PurchaseCompleted, PurchaseReturned, PurchaseVoided

projection = Projection("point_accrual")

# `paid` by line and `points_paid` in all, in minor units of the currency
basis = projection.ledger(
    "purchase_basis",
    transaction_id=plain("uuid"),
    profile_id=plain("uuid"),
    occurred_at=plain("bigint"),
    channel=plain("text"),
    location_id=plain("text"),
    currency=plain("text"),
    line_nos=plain("int[]"),
    skus=plain("text[]"),
    quantities=plain("bigint[]"),
    paid=plain("bigint[]"),
    points_paid=plain("bigint"),
    indexes=(("transaction_id",), ("profile_id", "occurred_at")),
)
# a void is a return of every line, with what the purchase had
giving_back = projection.ledger(
    "purchase_basis_return",
    transaction_id=plain("uuid"),
    at=plain("bigint"),
    void=plain("boolean"),
    line_nos=plain("int[]"),
    quantities=plain("bigint[]"),
    indexes=(("transaction_id",),),
)
claim = projection.ledger(
    "purchase_basis_claim",
    transaction_id=plain("uuid"),
    profile_id=plain("uuid"),
    at=plain("bigint"),
    treatment=plain("text"),
    indexes=(("transaction_id",),),
)


@projection.on(PurchaseCompleted)
def bought(event: PurchaseCompleted) -> Iterator[Row]:
    lines = event.lines
    yield basis(
        transaction_id=event.transaction_id,
        profile_id=event.profile_id,
        occurred_at=event.meta.occurred_at,
        channel=event.meta.producer.channel,
        location_id=event.location_id,
        currency=event.currency,
        line_nos=[line.line_no for line in lines],
        skus=[line.sku for line in lines],
        quantities=[line.quantity for line in lines],
        paid=[line.net_paid for line in lines],
        points_paid=sum(one.amount for one in event.tenders if one.kind == "POINTS"),
    )


@projection.on(PurchaseReturned, PurchaseVoided)
def given_back(event: PurchaseReturned | PurchaseVoided) -> Iterator[Row]:
    yield giving_back(
        transaction_id=event.transaction_id,
        at=event.meta.occurred_at,
        void=isinstance(event, PurchaseVoided),
        line_nos=[line.line_no for line in event.lines],
        quantities=[line.quantity for line in event.lines],
    )


@projection.on(PurchaseAttributed)
def claimed(event: PurchaseAttributed) -> Iterator[Row]:
    yield claim(
        transaction_id=event.transaction_id,
        profile_id=event.profile_id,
        at=event.meta.occurred_at,
        treatment=event.points_treatment,
    )
