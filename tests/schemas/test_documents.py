"""Which events tell the same document, and which of them say the same."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.declarations import describe
from schemas.generated.events import PurchaseCompleted, PurchaseReturned, StockReceived
from schemas.generated.events.parts import ReturnedLine
from schemas.tools import folders
from schemas.topics import EVENT_SCHEMAS
from schemas.wire import documents
from schemas.wire.documents import DocumentRule, document_of, rule_of
from tests.schemas.homes import copy
from tests.services.projector.facts import CUSTOMER, earned, meta, received, sale

SALE = "purchases/purchase_completed.avsc"
LINE = sale(1).lines[0]
SOLD = replace(sale(1), lines=[LINE, replace(LINE, line_no=2, sku="cup"), LINE], total=300)


def content(event: PurchaseCompleted) -> int:
    document = document_of(event)
    assert document is not None
    return document[1]


def test_a_sale_is_a_document_under_its_transaction() -> None:
    assert document_of(SOLD) == (SOLD.transaction_id, content(SOLD))
    assert -(2**63) <= content(SOLD) < 2**63


def test_what_a_sale_says_is_what_was_stored_for_ever() -> None:
    assert content(sale(1)) == -5544364650178986070


@pytest.mark.parametrize(
    "other",
    [
        replace(SOLD, meta=meta(2)),
        replace(SOLD, profile_id=CUSTOMER),
        replace(SOLD, tax=20, receipt_number="17", business_date=20_000, location_id="umeda"),
        replace(SOLD, lines=SOLD.lines[::-1]),
        replace(SOLD, lines=[replace(line, line_no=9, unit_price=1) for line in SOLD.lines]),
    ],
)
def test_who_tells_a_sale_and_the_order_of_its_lines_do_not_count(other: PurchaseCompleted) -> None:
    assert document_of(other) == document_of(SOLD)


@pytest.mark.parametrize(
    "other",
    [
        replace(SOLD, currency="USD"),
        replace(SOLD, total=301),
        replace(SOLD, lines=SOLD.lines[:2]),
        replace(SOLD, lines=[*SOLD.lines, SOLD.lines[1]]),
        replace(SOLD, lines=[replace(LINE, quantity=2), *SOLD.lines[1:]]),
        replace(SOLD, lines=[replace(LINE, net_paid=99), *SOLD.lines[1:]]),
        replace(SOLD, lines=[replace(LINE, sku="t"), *SOLD.lines[1:]]),
    ],
)
def test_currency_total_and_what_was_sold_count(other: PurchaseCompleted) -> None:
    assert content(other) != content(SOLD)


def test_other_events_tell_no_document_without_an_id_of_one() -> None:
    assert document_of(earned(1)) is None
    assert document_of(received(1, 5)) is None


def rule(*fields: str, key: str = "sku", **said: Any) -> DocumentRule | None:
    return rule_of({"fields": [{"name": name} for name in fields], **said}, [key])


def test_a_document_id_makes_a_key_of_what_names_the_record() -> None:
    received_at = ("sku", "location_id", "quantity")
    told = (*received_at, "document_id", "document_line")
    assert rule(*received_at) is None
    key = ("sku", "location_id", "document_id", "document_line")
    assert rule(*told) == DocumentRule(key, None)
    assert rule(*told, document={"same": ["quantity"]}) == DocumentRule(key, ("quantity",))
    assert rule(*told, document={"key": ["document_id"]}) == DocumentRule(("document_id",), None)
    assert rule(*told, document=False) is None


def test_one_slip_of_several_lines_lots_and_orders_is_several_documents() -> None:
    shipped = rule("sku", "location_id", "order_id", "line_no", "quantity", "lot", "document_id")
    assert shipped is not None
    assert set(shipped.key) == {"sku", "location_id", "order_id", "line_no", "lot", "document_id"}
    cancelled = rule(
        "transaction_id", "location_id", "order_id", "line_no", "document_id", key="transaction_id"
    )
    assert cancelled == DocumentRule(("transaction_id", "line_no", "document_id"), None)


def test_every_event_with_a_document_id_tells_one_unless_it_says_that_it_only_refers_to_it() -> (
    None
):
    carrying = {
        name
        for name, schema in EVENT_SCHEMAS.items()
        if any(field["name"] == "document_id" for field in schema["fields"])
    }
    told = {event.NAME for event in documents.IDENTIFY}
    # a sale is known by its transaction, an opened balance by its profile and program
    assert told - carrying == {"PurchaseCompleted", "BalanceOpened"}
    assert carrying - told == {"InboundExpected"}


def test_a_slip_told_again_counts_once_and_another_line_of_it_does() -> None:
    def slip(number: int, **said: Any) -> StockReceived:
        return replace(received(number, 5), document_id="D-17", document_line=1, **said)

    first = document_of(slip(1))
    assert first is not None
    assert document_of(slip(2)) == first
    changed = document_of(slip(3, quantity=6))
    assert changed is not None and changed[0] == first[0] and changed[1] != first[1]
    others = [slip(4, location_id="umeda"), slip(5, sku="cup"), slip(6, lot="L2")]
    keys = {document[0] for event in others if (document := document_of(event))}
    assert len(keys) == 3 and first[0] not in keys


RETURNED = PurchaseReturned(
    meta=meta(1), transaction_id=b"\1" * 16, location_id="ginza", currency="JPY", total=100,
    lines=[ReturnedLine(line_no=no, sku="tea", quantity=1, refund=50) for no in (1, 2)],
)  # fmt: skip


@pytest.fixture(scope="module")
def returned() -> documents.Identify:
    """Returns as documents under their location and reason code, all else being their content."""
    rule = DocumentRule(("location_id", "reason_code"), None)
    return documents._compiled("PurchaseReturned", rule, describe())


def test_all_that_a_producer_says_of_the_goods_counts_without_a_declaration(
    returned: documents.Identify,
) -> None:
    said = returned(RETURNED)
    assert said is not None
    for same in (
        replace(RETURNED, meta=meta(2), profile_id=CUSTOMER, returned_by=CUSTOMER),
        replace(RETURNED, note=b"sealed anew", reason="typed"),
        replace(RETURNED, lines=RETURNED.lines[::-1]),
    ):
        assert returned(same) == said
    for other in (
        replace(RETURNED, total=101),
        replace(RETURNED, lines=RETURNED.lines[:1]),
        replace(RETURNED, transaction_id=b"\2" * 16),
        replace(RETURNED, lines=[replace(RETURNED.lines[0], quantity=3), RETURNED.lines[1]]),
    ):
        changed = returned(other)
        assert changed is not None and changed[0] == said[0] and changed[1] != said[1]
    elsewhere = returned(replace(RETURNED, location_id="umeda"))
    assert elsewhere is not None and elsewhere[0] != said[0]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d.update(keys=[]), "document has no attribute keys"),
        (lambda d: d.update(key=[]), "document.key is empty"),
        (lambda d: d.update(key=["sale"]), "document.key names sale, which is no field"),
        (lambda d: d.update(same=["sum"]), "document.same names sum, which is no field"),
        (lambda d: d.update(same=["rows(sku)"]), "document.same names rows(sku), which is no"),
        (lambda d: d.update(same=["lines(sku,price)"]), "document.same names price, which its"),
    ],
)
def test_a_document_that_names_what_is_not_there_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    home = copy(tmp_path)
    path = home / "contracts" / SALE
    schema = json.loads(path.read_text("utf-8"))
    change(schema["document"])
    path.write_text(json.dumps(schema), "utf-8")
    (found,) = folders.check(home)
    assert found.startswith("PurchaseCompleted: ") and complaint in found


def test_one_event_alone_is_keyed_by_one_id(tmp_path: Path) -> None:
    home = copy(tmp_path)
    path = home / "contracts" / "purchases/purchase_voided.avsc"
    schema = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**schema, "document": {"key": ["transaction_id"]}}), "utf-8")
    (found,) = folders.check(home)
    assert found.startswith("PurchaseCompleted, PurchaseVoided: ")
