"""What a producer may send, what is refused, and how refusals read."""

import copy
import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from schemas.generated.events import ProfileRegistered
from schemas.generated.inputs import (
    NAMES_WITH_PERSONAL,
    ProfileRegisteredInput,
    Rejected,
    example,
    parse,
    subject_of,
    to_event,
)
from tests.schemas.sealers import OpenSealer


def _sent(name: str, path: str, value: Any) -> dict[str, Any]:
    """The event's example with one value replaced."""
    body = copy.deepcopy(example(name))
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    node: Any = body
    for step in steps:
        node = node[step]
    node[last] = value
    return body


SALE, STOCK, PERSON = "PurchaseCompleted", "StockReceived", "ProfileRegistered"
RETURN, CANCEL = "PurchaseReturned", "OrderLineCancelled"
LINE, BACK = example(SALE)["lines"][0], example(RETURN)["lines"][0]
PIECE, RATE = {"sku": "A", "quantity": 2}, example(SALE)["tax_by_rate"][0]
TWO_OF_A_SKU = "two elements have the same sku and location_id"
TWO_OF_A_LINE = "two elements have the same line_no and sku"
REFUSED = [
    (SALE, "type", "Purchase", "type", "is not the name of an event"),
    (SALE, "type", None, "type", "is required"),
    (SALE, "surprise", 1, "surprise", "is not a field of this event"),
    (SALE, "meta", 3, "meta", "must be an object"),
    (SALE, "meta.event_id", "abc", "meta.event_id", "must be a UUID"),
    (SALE, "meta.event_id", "0190163d8694739baea5966c26f8ad90", "meta.event_id", "must be a UUID"),
    (SALE, "meta.occurred_at", "2026-04-01T10:15:00", "meta.occurred_at", "with an offset"),
    (SALE, "meta.occurred_at", "2026-02-30T10:15:00Z", "meta.occurred_at", "that exists"),
    (SALE, "meta.occurred_at", "1899-12-31T23:59:59Z", "meta.occurred_at", "1900 to 2199"),
    (SALE, "meta.occurred_at", "0001-01-01T00:00:00+14:00", "meta.occurred_at", "1900 to 2199"),
    (SALE, "meta.occurred_at", 1_775_006_100, "meta.occurred_at", "with an offset"),
    (SALE, "meta.producer.channel", "SHOP", "meta.producer.channel", "must be 'OTHER', 'STORE'"),
    (SALE, "meta.producer.terminal_sequence", -1, "meta.producer.terminal_sequence", "must be"),
    (SALE, "business_date", "2026-13-01", "business_date", "that exists"),
    (SALE, "total", 1.5, "total", "must be a whole number"),
    (SALE, "total", "1650", "total", "must be a whole number"),
    (SALE, "total", True, "total", "must be a whole number"),
    (SALE, "total", 10**15 + 1, "total", "less than or equal to 1000000000000000"),
    (SALE, "total", 10**400, "total", "must be"),
    (SALE, "currency", "yen", "currency", "three capital letters"),
    (SALE, "currency", 392, "currency", "must be a string"),
    (SALE, "currency", "ZZZ", "currency", "is not a currency code of ISO 4217"),
    (SALE, "currency", "XAU", "currency", "is not a currency code of ISO 4217"),
    (RETURN, "currency", "XXX", "currency", "is not a currency code of ISO 4217"),
    (CANCEL, "currency", "ZZZ", "currency", "is not a currency code of ISO 4217"),
    (SALE, "location_id", "", "location_id", "at least 1 character"),
    (SALE, "location_id", "x" * 65, "location_id", "at most 64 characters"),
    ("ItemDescribed", "name", "S\x00", "name", "control characters"),
    (SALE, "location_id", "\ud83d", "location_id", "is not valid Unicode"),
    (SALE, "receipt_number", "x" * 201, "receipt_number", "at most 200 characters"),
    (SALE, "lines", [], "lines", "at least 1 item"),
    (SALE, "lines", [LINE] * 501, "lines", "at most 500 items"),
    (SALE, "lines", [LINE, LINE], "lines", "two elements have the same line_no"),
    (SALE, "lines.0.quantity", -1, "lines.0.quantity", "greater than or equal to 0"),
    (SALE, "lines.0.quantity", 2**31, "lines.0.quantity", "less than or equal to 2147483647"),
    (SALE, "lines.0.is_gift", "no", "lines.0.is_gift", "must be true or false"),
    (SALE, "lines.0.line_no", 0, "lines.0.line_no", "greater than or equal to 1"),
    (SALE, "lines.0.kind", "PRESENT", "lines.0.kind", "must be 'GOODS', 'DISCOUNT'"),
    (SALE, "lines.0.scale", 4, "lines.0.scale", "less than or equal to 3"),
    (SALE, "lines.0.scale", -1, "lines.0.scale", "greater than or equal to 0"),
    (SALE, "lines.0.tax_rate", -1, "lines.0.tax_rate", "greater than or equal to 0"),
    (SALE, "lines.0.tax_rate", 100_001, "lines.0.tax_rate", "less than or equal to 100000"),
    (SALE, "lines.0.components", [PIECE, PIECE], "lines.0.components", TWO_OF_A_SKU),
    (SALE, "lines.0.components", [PIECE | {"quantity": 0}], "lines.0.components.0.quantity", "1"),
    (SALE, "lines.0.expected_at", "soon", "lines.0.expected_at", "with an offset"),
    (SALE, "tax_by_rate", [RATE, RATE], "tax_by_rate", "the same rate_basis_points"),
    (SALE, "order_id", "A-17", "order_id", "must be a UUID"),
    (RETURN, "lines", [BACK, BACK], "lines", TWO_OF_A_LINE),
    (RETURN, "lines", [BACK | {"line_no": 0}] * 2, "lines", TWO_OF_A_LINE),
    (RETURN, "lines.0.line_no", -1, "lines.0.line_no", "greater than or equal to 0"),
    (RETURN, "lines.0.quantity", 0, "lines.0.quantity", "greater than or equal to 1"),
    (RETURN, "lines.0.disposition", "LOST", "lines.0.disposition", "'NOT_RETURNED'"),
    (RETURN, "document_id", "", "document_id", "at least 1 character"),
    (CANCEL, "quantity", 0, "quantity", "greater than or equal to 1"),
    (CANCEL, "line_no", 0, "line_no", "greater than or equal to 1"),
    ("OrderLineHandedOver", "quantity", 0, "quantity", "greater than or equal to 1"),
    ("PurchaseAmended", "lines", [], "lines", "at least 1 item"),
    ("PurchaseAmended", "lines", [LINE, LINE], "lines", "two elements have the same line_no"),
    ("InboundExpected", "quantity", -1, "quantity", "greater than or equal to 0"),
    ("InquiryWaiting", "waiting_for", "GODOT", "waiting_for", "must be 'CUSTOMER'"),
    ("DiscrepancySettled", "refers", ["x"], "refers.0", "must be a UUID"),
    (STOCK, "document_line", 0, "document_line", "greater than or equal to 1"),
    ("StockCounted", "scale", 4, "scale", "less than or equal to 3"),
    (STOCK, "quantity", 0, "quantity", "greater than or equal to 1"),
    ("StockAdjusted", "quantity", 0, "quantity", "must not be 0"),
    ("StockCounted", "quantity", -1, "quantity", "greater than or equal to 0"),
    ("PointsEarned", "lots.0.points", 0, "lots.0.points", "greater than or equal to 1"),
    ("PointsAdjusted", "points", 0, "points", "must not be 0"),
    ("LocationDescribed", "latitude", 91, "latitude", "less than or equal to 90"),
    ("LocationDescribed", "latitude", float("nan"), "latitude", "finite"),
    ("LocationDescribed", "time_zone", "Tokyo", "time_zone", "such as Asia/Tokyo"),
    ("LocationDescribed", "time_zone", "localtime", "time_zone", "such as Asia/Tokyo"),
    ("LocationDescribed", "day_starts_at", "5:00", "day_starts_at", "such as 05:00"),
    ("LocationDescribed", "day_starts_at", "12:01", "day_starts_at", "from 00:00 to 12:00"),
    ("ReceiptNumberUsed", "number", -1, "number", "greater than or equal to 0"),
    ("ReceiptNumberUsed", "used_for", "SALE", "used_for", "must be 'OTHER', 'TRAINING'"),
    ("TerminalDayClosed", "business_date", "2026-02-30", "business_date", "that exists"),
    ("TerminalDayClosed", "tax_by_rate", [RATE, RATE], "tax_by_rate", "the same rate_basis_points"),
    ("InquiryOpened", "text", "x" * 20_001, "text", "at most 20000 characters"),
    (PERSON, "birth_date", "12.4.1985", "birth_date", "must be a date"),
    (PERSON, "identifiers.0.value_index", "x", "identifiers.0.value_index", "is not a field"),
]


@pytest.mark.parametrize(("name", "path", "value", "field", "reason"), REFUSED)
def test_what_is_wrong_is_named_with_its_field(
    name: str, path: str, value: Any, field: str, reason: str
) -> None:
    with pytest.raises(Rejected) as caught:
        parse(_sent(name, path, value))
    assert caught.value.field == field
    assert reason in caught.value.reason


@pytest.mark.parametrize("body", [None, 3, "x", [], [example(SALE)], {}, {"type": ["a"]}])
def test_what_is_no_event_at_all_is_refused(body: object) -> None:
    with pytest.raises(Rejected):
        parse(body)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        (SALE, "meta.occurred_at", "2026-04-01t01:15:00.123456789z"),
        (SALE, "meta.occurred_at", "2026-04-01T01:15:00.1+00:00"),
        (SALE, "meta.event_id", "0190163D-8694-739B-AEA5-966C26F8AD90"),
        (SALE, "total", -(10**15)),
        (SALE, "lines.0.quantity", 0),
        (SALE, "lines.0.sku", "x" * 64),
        ("StockAdjusted", "quantity", -3),
        ("StockCounted", "quantity", 0),
        ("StockCounted", "zone", "SHELF"),
        ("InboundExpected", "quantity", 0),
        (SALE, "lines.0.components", [PIECE, PIECE | {"location_id": "W01"}]),
        (SALE, "lines.0.scale", 3),
        (RETURN, "lines", [BACK | {"line_no": 0}]),
        (RETURN, "lines", [BACK | {"line_no": 0, "sku": sku} for sku in ("A", "B")]),
        (RETURN, "lines.0.disposition", "NOT_RETURNED"),
        ("InquiryOpened", "text", "行1\n行2\t" + "字" * 19_990),
    ],
)
def test_what_is_unusual_but_right_is_taken(name: str, path: str, value: Any) -> None:
    assert parse(_sent(name, path, value)).type == name


def test_times_keep_their_instant_to_the_microsecond() -> None:
    model = parse(_sent(SALE, "meta.occurred_at", "2026-04-01T10:15:00.123456+09:00"))
    expected = datetime(2026, 4, 1, 1, 15, 0, 123456, tzinfo=UTC)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert model.meta.occurred_at == (expected - epoch) // timedelta(microseconds=1)


def test_python_values_are_taken_as_well_as_their_json() -> None:
    body = _sent(SALE, "meta.event_id", UUID(int=7))
    body["meta"]["occurred_at"] = datetime(2026, 4, 1, tzinfo=timezone(timedelta(hours=9)))
    body["business_date"] = date(2026, 4, 1)
    model = parse(body)
    assert parse(json.loads(model.model_dump_json())) == model
    assert parse(model) is model


def test_personal_values_are_sealed_for_their_subject_under_their_path() -> None:
    model, sealer = parse(example(PERSON)), OpenSealer()
    event = to_event(model, sealer)
    assert isinstance(event, ProfileRegistered)
    assert [(field, kind) for _, field, kind, _ in sealer.asked] == [
        ("name", "name"),
        ("name_kana", "kana"),
        ("postcode", "postcode"),
        ("address", "address"),
        ("birth_date", "birth_date"),
        ("identifiers[0].value", "card"),
        ("identifiers[1].value", "phone"),
        ("identifiers[2].value", "email"),
    ]
    assert {subject for subject, *_ in sealer.asked} == {event.profile_id}
    assert event.identifiers[1].value_index.startswith(b"phone")
    assert event.postcode_index is not None


@pytest.mark.parametrize(
    ("kind", "field"), [("phone", "identifiers.1.value"), ("postcode", "postcode")]
)
def test_a_personal_value_of_no_kind_is_refused_by_field(kind: str, field: str) -> None:
    with pytest.raises(Rejected) as caught:
        to_event(parse(example(PERSON)), OpenSealer(refuse=kind))
    assert (caught.value.field, caught.value.reason) == (field, "has no number in it")


def test_an_inquiry_of_nobody_known_is_its_own_subject() -> None:
    body = example("InquiryOpened")
    del body["profile_id"]
    model = parse(body)
    assert subject_of(model) == UUID(body["inquiry_id"]).bytes
    body["text"] = None
    assert subject_of(parse(body)) is None


def test_a_model_never_shows_what_is_personal() -> None:
    model = parse(example(PERSON))
    assert isinstance(model, ProfileRegisteredInput)
    shown = repr(model)
    for clear in ("山田", "ヤマダ", "150-0001", "神宮前", "1985", "090-1234", "taro.yamada"):
        assert clear not in shown


def test_the_events_with_personal_fields_are_known() -> None:
    assert PERSON in NAMES_WITH_PERSONAL
    assert not {SALE, STOCK} & NAMES_WITH_PERSONAL
