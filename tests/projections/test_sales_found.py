"""By what is a sale found, whatever was told of it?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

from projections.core.instants import micros
from projections.purchases import sale
from projections.purchases.documents import of_return, of_sale
from projections.purchases.sale_state import settled
from schemas.generated.events import PurchaseCompleted, PurchaseReturned
from schemas.generated.inputs import example, parse, to_event
from tests.schemas.sealers import OpenSealer

KEY = (bytes(range(16)),)
ORDER = UUID(int=4711)
LATE = micros(datetime(2026, 11, 20, 15, 30, tzinfo=UTC))
"""Half past midnight in Japan."""


def told(**more: object) -> PurchaseCompleted:
    event = to_event(parse(example("PurchaseCompleted")), OpenSealer())
    assert isinstance(event, PurchaseCompleted)
    plain = replace(
        event, meta=replace(event.meta, occurred_at=LATE), location_id="S001", order_id=None,
        receipt_number=None, business_date=None, transaction_id=KEY[0],
    )  # fmt: skip
    return replace(plain, **more)  # type: ignore[arg-type]


def summary(event: PurchaseCompleted) -> tuple[object, ...]:
    row = sale.summary(KEY, {"0a": of_sale(event)})
    return row["receipt_number"], row["order_id"], row["shop_day"]


def day(when: date) -> str:
    return f"{(when - date(1970, 1, 1)).days} S001"


def test_a_sale_is_found_by_its_business_date_alone() -> None:
    assert summary(told()) == (None, None, None)
    friday = (date(2026, 11, 20) - date(1970, 1, 1)).days
    assert summary(told(business_date=friday)) == (None, None, day(date(2026, 11, 20)))


def test_a_sale_is_found_by_its_receipt_and_by_the_order_that_it_serves() -> None:
    event = told(receipt_number="17", order_id=ORDER.bytes)
    assert summary(event)[:2] == ("17", ORDER.bytes)
    assert summary(told(order_id=KEY[0]))[1] is None
    assert settled({"0a": of_sale(event)}).receipt_number == "17"


def test_a_document_of_before_has_no_receipt_and_none_is_written_without_need() -> None:
    bare = told(
        tax=0, tax_by_rate=[], tenders=[], staff_code=None, register_code=None,
        registration_number=None,
    )  # fmt: skip
    document = of_sale(bare)
    assert len(document) == 10
    assert settled({"0a": document}).receipt_number is None


def test_a_sale_of_which_only_a_return_was_told_is_not_found() -> None:
    event = to_event(parse(example("PurchaseReturned")), OpenSealer())
    assert isinstance(event, PurchaseReturned)
    row = sale.summary(KEY, {"0b": of_return(event)})
    assert set(row.values()) == {None}
