"""Purchases and returns of all channels, and who owns them.

Data of general use: other projections may read these tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from projections.core import Projection, Row, View, key, latest_by, maximum, plain
from schemas.generated.events import (
    PurchaseAttributed,
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
)
from schemas.generated.events.parts import Tender

projection = Projection("purchases", version=2, formerly=("purchase_suppression",))

# an owner is a profile, or a guest's transaction until somebody claims it
purchase = projection.ledger(
    "purchase",
    owner_id=plain("uuid"),
    transaction_id=plain("uuid"),
    occurred_at=plain("bigint"),
    channel=plain("text"),
    location_id=plain("text"),
    total=plain("bigint"),
    line_nos=plain("int[]"),
    skus=plain("text[]"),
    quantities=plain("int[]"),
    gifts=plain("int[]"),
    paid=plain("bigint[]"),  # by line, and below what points paid: in minor units
    points_paid=plain("bigint"),
    view=View(by=("owner_id",)),
    indexes=(("owner_id", "occurred_at"),),
)
giving_back = projection.ledger(
    "purchase_return",
    owner_id=plain("uuid"),
    transaction_id=plain("uuid"),
    occurred_at=plain("bigint"),
    line_nos=plain("int[]"),
    quantities=plain("int[]"),
    view=View(by=("owner_id",)),
    indexes=(("owner_id", "occurred_at"),),
)
claim = projection.table(
    "purchase_claim",
    profile_id=key("uuid"),
    transaction_id=key("uuid"),
    claimed_at=maximum(),
    treatment=latest_by("text", at="claimed_at"),
    view=View(by=("profile_id",)),
    indexes=(("transaction_id",),),
)


@projection.on(PurchaseCompleted)
def bought(event: PurchaseCompleted) -> Iterator[Row]:
    lines = event.lines
    yield purchase(
        owner_id=event.profile_id or event.transaction_id,
        transaction_id=event.transaction_id,
        occurred_at=event.meta.occurred_at,
        channel=event.meta.producer.channel,
        location_id=event.location_id,
        total=event.total,
        line_nos=[line.line_no for line in lines],
        skus=[line.sku for line in lines],
        quantities=[line.quantity for line in lines],
        gifts=[line.line_no for line in lines if line.is_gift],
        paid=[line.net_paid for line in lines],
        points_paid=_by_points(event.tenders) if event.tenders else 0,
    )


def _by_points(tenders: Iterable[Tender]) -> int:
    return sum(one.amount for one in tenders if one.kind == "POINTS")


@projection.on(PurchaseReturned, PurchaseVoided)
def given_back(event: PurchaseReturned | PurchaseVoided) -> Iterator[Row]:
    yield giving_back(
        owner_id=event.profile_id or event.transaction_id,
        transaction_id=event.transaction_id,
        occurred_at=event.meta.occurred_at,
        line_nos=[line.line_no for line in event.lines],
        quantities=[line.quantity for line in event.lines],
    )


@projection.on(PurchaseAttributed)
def claimed(event: PurchaseAttributed) -> Iterator[Row]:
    yield claim(
        profile_id=event.profile_id,
        transaction_id=event.transaction_id,
        claimed_at=event.meta.occurred_at,
        treatment=event.points_treatment,
    )
