"""Do the rows become the shop that the page describes?"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from uuid import UUID

import pytest

from schemas.generated.inputs import parse
from services.cli.local_services import TOKEN_ROLES, TOKENS
from services.demo.check.oracle import Oracle
from services.demo.scene import ORDER, SALE, STORE, Scene
from services.demo.shop import Json, names
from services.demo.shop.clocks import RIGHT, WrongWeeks
from services.demo.shop.moments import DemoMoment
from services.demo.shop.rows import Rows
from services.demo.shop.streams import everything, tills
from services.intake.admission import within_scopes
from services.intake.records import Intake, Refusal
from services.points.program.accrual_source import ProgramVersions, unreadable
from services.runtime.tokens import Token

LONGEST_PURCHASE = 500


def every_event(rows: Rows) -> Iterator[Json]:
    for stream in everything(rows):
        for moment in stream.moments:
            yield from moment.events


@pytest.fixture(scope="module")
def events(rows: Rows) -> list[Json]:
    return list(every_event(rows))


def of(events: list[Json], kind: str) -> list[Json]:
    return [event for event in events if event["type"] == kind]


def test_a_second_run_makes_the_same_events(rows: Rows, events: list[Json]) -> None:
    assert list(every_event(rows)) == events


def test_no_two_events_share_an_id(events: list[Json]) -> None:
    assert len({event["meta"]["event_id"] for event in events}) == len(events)


def test_the_gateway_would_take_every_event(events: list[Json]) -> None:
    for event in events:
        parse(event)


def test_every_system_may_tell_what_it_tells(rows: Rows) -> None:
    intake = Intake(None, bytes(32), ProgramVersions(None, "producer"), unreadable)  # type: ignore[arg-type]
    for lane in everything(rows):
        scopes = TOKENS.get(lane.role, ("channel:*", "system:*", "store:*"))
        sender = Token(lane.name, frozenset(scopes), lane.role)
        for moment in lane.moments:
            models = [intake.read(event, sender) for event in moment.events]
            assert [one for one in models if isinstance(one, Refusal)] == [], lane.name
            if lane.role in ("till", "ec"):  # what goes in bulk has no token
                within_scopes(sender, [(0, one) for one in models if not isinstance(one, Refusal)])


def test_everybody_in_the_scene_may_tell_what_they_tell() -> None:
    intake = Intake(None, bytes(32), ProgramVersions(None, "producer"), unreadable)  # type: ignore[arg-type]
    scene = Scene(None, None, "", "", {})  # type: ignore[arg-type]
    scene._who, scene._sku = 1, "sku"
    told = [
        ("till", scene._purchase(names.POS, SALE, STORE, 1)),
        ("ec", scene._purchase(names.EC, ORDER, None, 1, "SHIP")),
        ("warehouse", scene._shipped(names.location(None))),
        ("till", scene._returned(names.POS, SALE, STORE, 1)),
        ("ec", scene._returned(names.EC, ORDER, None, 1)),
    ]
    for who, event in told:
        sender = Token(who, frozenset(TOKENS[who]), TOKEN_ROLES[who])
        read = intake.read(event, sender)
        assert not isinstance(read, Refusal), read
        within_scopes(sender, [(0, read)])


def test_what_is_sent_adds_up_to_what_the_oracle_expects(
    events: list[Json], oracle: Oracle
) -> None:
    told = of(events, "PurchaseCompleted")
    purchases = list({event["transaction_id"]: event for event in reversed(told)}.values())
    returns = {key(event): event for event in of(events, "PurchaseReturned")}
    now = {event["transaction_id"]: event for event in of(events, "PurchaseAmended")}
    purchases = [now.get(event["transaction_id"], event) for event in purchases]
    lines = [line for sale in purchases for line in sale["lines"] if line.get("kind") is None]
    lots = [lot for earned in of(events, "PointsEarned") for lot in earned["lots"]]
    expected: dict[str, int] = dict(oracle.expected("totals"))
    del expected["units returned"], expected["units refunded"]  # depend on what is left of a line
    assert expected == {
        "purchases": len(purchases),
        "lines": len(lines),
        "units sold": sum(line["quantity"] for line in lines),
        "sales": sum(purchase["total"] for purchase in purchases),
        "returns": len(returns),
        "points earned": sum(lot["points"] for lot in lots),
        "points redeemed": sum(event["points"] for event in of(events, "PointsRedeemed")),
        "points taken back": sum(event["points"] for event in of(events, "PointsReversed")),
        "members": len({event["profile_id"] for event in of(events, "ProfileRegistered")}) // 2,
        "inquiries": len(of(events, "InquiryOpened")),
    }


def key(event: Json) -> tuple[str, int]:
    """Which line of which sale comes back."""
    return event["transaction_id"], event["lines"][0]["line_no"]


def test_returns_name_the_buyer_or_nobody_or_the_buyers_other_profile(events: list[Json]) -> None:
    buyers = {
        event["transaction_id"]: event["profile_id"]
        for event in of(events, "PurchaseCompleted")
        if "profile_id" in event
    }
    returns = of(events, "PurchaseReturned")
    named = Counter(
        "nobody"
        if "profile_id" not in back
        else "buyer"
        if back["profile_id"] == buyers[back["transaction_id"]]
        else "other"
        for back in returns
    )
    stores = [back for back in returns if back["meta"]["producer"]["channel"] == "STORE"]
    assert abs(named["nobody"] - len(stores) / 7) < 5
    assert abs(named["other"] - len(stores) / 11 * 6 / 7) < 5
    others = [back for back in returns if back.get("returned_by") != back.get("profile_id")]
    assert len(others) > len(returns) / 10, "who comes to the counter is often not the buyer"


def test_a_return_that_is_told_twice_has_two_slips(events: list[Json]) -> None:
    returns = of(events, "PurchaseReturned")
    slips = Counter(back["document_id"] for back in returns)
    assert set(slips.values()) == {1}
    twice = Counter(key(back) for back in returns)
    assert Counter(twice.values())[2] == len(returns) - len(twice) > 10


def test_every_unit_of_an_order_leaves_or_is_cancelled(events: list[Json]) -> None:
    left = Counter[tuple[str, int, str]]()
    placed, allocated = Counter(left), Counter(left)
    fewer = {
        (event["transaction_id"], line["line_no"]): line["quantity"]
        for event in of(events, "PurchaseAmended")
        for line in event["lines"]
    }
    for event in of(events, "PurchaseCompleted"):
        for line in event["lines"]:
            if line.get("fulfilment") in ("SHIP", "PICKUP"):
                place = line.get("location_id", event["location_id"])
                amended = event["transaction_id"], line["line_no"]
                placed[*amended, place] += fewer.get(amended, line["quantity"])
    for event in events:
        if event["type"] in ("StockShipped", "OrderLineHandedOver", "OrderLineCancelled"):
            left[event["order_id"], event["line_no"], event["location_id"]] += event["quantity"]
        if event["type"] == "StockAllocated":
            at = event["order_id"], event["line_no"], event["location_id"]
            allocated[at] += event["quantity"]
    assert +placed == left == allocated
    for kind, least in (("OrderLineCancelled", 60), ("OrderLineHandedOver", 400)):
        assert len(of(events, kind)) > least


def test_a_copy_is_the_same_sale_without_optional_fields(events: list[Json]) -> None:
    told: dict[str, list[Json]] = {}
    for event in of(events, "PurchaseCompleted"):
        told.setdefault(event["transaction_id"], []).append(event)
    copies = [both for both in told.values() if len(both) > 1]
    assert len(copies) == 2_400 // 89
    for sale, copy in copies:
        assert copy["total"] == sale["total"]
        assert not {"profile_id", "receipt_number", "business_date"} & copy.keys()
        assert "terminal_id" not in copy["meta"]["producer"]
        assert copy["meta"]["occurred_at"] >= sale["meta"]["occurred_at"]


def test_a_till_sends_its_receipts_in_the_order_of_their_numbers(rows: Rows) -> None:
    for till in tills(rows):
        producers = [
            event["meta"]["producer"]
            for moment in till.moments
            for event in moment.events
            if event["type"] == "PurchaseCompleted"
        ]
        numbered = [one["terminal_sequence"] for one in producers if "terminal_id" in one]
        if till.name == "store 5 till 1":
            assert max(numbered) < 5, "it starts anew each day"
        else:
            assert numbered == sorted(set(numbered))


def test_what_one_till_tells_in_two_weeks_is_400_days_off(rows: Rows) -> None:
    wrong: dict[str, list[DemoMoment]] = {}
    for till in tills(rows):
        for moment in till.moments:
            told = datetime.fromisoformat(moment.events[0]["meta"]["occurred_at"])
            assert told == moment.at + moment.ahead
            if moment.ahead:
                wrong.setdefault(till.name, []).append(moment)
    assert set(wrong) == {"store 3 till 2"}
    moments = wrong["store 3 till 2"]
    assert [moment.ahead.days for moment in moments] == [400, 400, -400, -400]
    assert [moment.events[0]["type"] for moment in moments[1::2]] == 2 * ["TerminalDayClosed"]
    moments = moments[::2]
    mondays = date(2001, 3, 5), date(2001, 9, 3)
    late = [
        (moment.at.date() - monday).days for moment, monday in zip(moments, mondays, strict=True)
    ]
    assert all(7 <= days < 60 for days in late), "it sold nothing in these weeks, but soon after"


def test_a_clock_is_wrong_all_week_and_then_right_again() -> None:
    clock = WrongWeeks(3, 2)
    days = [date(2001, 3, day) for day in (4, 5, 11, 12)] + [date(2001, 9, 12), date(2001, 9, 12)]
    assert [clock.ahead(day).days for day in days] == [0, 400, 400, 0, -400, 0]
    assert WrongWeeks(3, 1).ahead(date(2001, 3, 5)) == RIGHT


def test_a_null_quantity_is_a_line_of_nothing(events: list[Json]) -> None:
    lines = Counter(
        line["quantity"] == 0
        for event in of(events, "PurchaseCompleted")
        for line in event["lines"]
    )
    assert lines[True] > 1_000
    assert max(len(event["lines"]) for event in of(events, "PurchaseCompleted")) <= LONGEST_PURCHASE


def test_a_lot_belongs_to_a_line_and_a_reversal_names_it(events: list[Json]) -> None:
    lots = {
        lot["lot_id"]: lot["points"]
        for earned in of(events, "PointsEarned")
        for lot in earned["lots"]
    }
    for taken in of(events, "PointsReversed"):
        (allocation,) = taken["allocations"]
        assert allocation["points"] == taken["points"] <= lots[allocation["lot_id"]]


def test_the_lines_discounts_taxes_and_tenders_of_receipts_add_up(events: list[Json]) -> None:
    told = [event for event in of(events, "PurchaseCompleted") if "tenders" in event]
    wrong = Counter[str]()
    for event in (*told, *of(events, "PurchaseAmended")):
        lines = sum(line["net_paid"] for line in event["lines"])
        taxed = sum(one["net"] + one["tax"] for one in event["tax_by_rate"])
        assert lines == taxed
        assert event["tax"] == sum(one["tax"] for one in event["tax_by_rate"])
        wrong["total"] += event["total"] - lines
        if "tenders" in event:
            wrong["tenders"] += event["total"] - sum(one["amount"] for one in event["tenders"])
        off = {line["line_no"]: line["discount"] for line in event["lines"] if "discount" in line}
        assert off == {one["line_no"]: one["amount"] for one in event.get("discounts", ())}
    assert wrong == {"total": 5, "tenders": 4}
    orders = [event for event in told if event["meta"]["producer"]["channel"] == "EC"]
    for event in orders:
        assert [line.get("kind") for line in event["lines"]].count("SHIPPING") == 1
        assert event["lines"][-1]["kind"] == "SHIPPING"


def test_every_number_of_a_closed_day_was_used_or_is_missing(events: list[Json]) -> None:
    used: dict[tuple[str, str, str], set[int]] = {}
    for event in of(events, "PurchaseCompleted"):
        producer = event["meta"]["producer"]
        if "terminal_sequence" in producer:
            day = normal(event["location_id"]), producer["terminal_id"], event["business_date"]
            used.setdefault(day, set()).add(producer["terminal_sequence"])
    for event in of(events, "ReceiptNumberUsed"):
        used.setdefault(day_of(event), set()).add(event["number"])
    missing = 0
    closings = {day_of(event): event for event in of(events, "TerminalDayClosed")}
    for day, event in closings.items():
        numbers = set(range(event["first_number"], event["last_number"] + 1))
        assert event["count"] == len(numbers)
        assert used.get(day, set()) <= numbers
        missing += len(numbers - used.get(day, set()))
    assert missing == 2
    assert len(used.keys() - closings.keys()) == 2_250 // 61


def normal(code: str) -> str:
    return unicodedata.normalize("NFKC", code)


def day_of(event: Json) -> tuple[str, str, str]:
    return event["location_id"], event["terminal_id"], event["business_date"]


def test_one_till_in_a_hundred_receipts_writes_its_store_in_full_width(events: list[Json]) -> None:
    wide = [event for event in events if not event.get("location_id", "").isascii()]
    assert {event["type"] for event in wide} == {"PurchaseCompleted"}
    assert len(wide) == 2_400 // 97
    assert {normal(event["location_id"]) for event in wide} <= {f"STORE-{n}" for n in range(1, 6)}
    assert all(event["meta"]["producer"]["store_id"] == event["location_id"] for event in wide)


def test_only_one_store_scans_barcodes(events: list[Json]) -> None:
    barcodes = {
        barcode: event["sku"]
        for event in of(events, "ItemDescribed")
        for barcode in event.get("barcodes", ())
    }
    assert len(barcodes) == 180 // 10
    places = Counter(
        normal(event["location_id"])
        for event in events
        if event["type"] in ("PurchaseCompleted", "PurchaseReturned")
        for line in event["lines"]
        if line["sku"] in barcodes
    )
    assert set(places) == {"STORE-2"}
    told = {
        line["sku"]
        for event in of(events, "PurchaseCompleted")
        if normal(event["location_id"]) == "STORE-2"
        for line in event["lines"]
    }
    assert not told & set(barcodes.values())


def test_a_terminal_that_starts_anew_has_ids_of_version_7(events: list[Json]) -> None:
    versions = Counter(
        (
            UUID(event["meta"]["event_id"]).version,
            normal(producer["store_id"]),
            producer["terminal_id"],
        )
        for event in events
        if "terminal_id" in (producer := event["meta"]["producer"])
    )
    assert [till for version, *till in versions if version == 7] == [["STORE-5", "TILL-1"]]
    assert (5, "STORE-5", "TILL-1") not in versions
