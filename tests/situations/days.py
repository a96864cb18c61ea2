"""Rows T3 to T8 of the table Clocks and days: business dates, closed days, receipt numbers."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.situations.answers import Shop
from tests.situations.facts import HEAD_OFFICE, RIGHT, STORE, line
from tests.situations.rows import arrivals, row

PROGRAM = "hitotsu-points"
ONE_PERCENT: dict[str, Any] = {"earn": [{"points": 1, "per": 100}], "return_policy": "go_negative"}


def rules(shop: Shop, since: str, until: str, **changed: Any) -> None:
    """Other rules of the program for a time in the past, in which no other situation sells."""
    for valid_from, told in ((since, ONE_PERCENT | changed), (until, ONE_PERCENT)):
        shop.tell(
            "ProgramRulesSet", HEAD_OFFICE, program_id=PROGRAM, version=uuid4().hex,
            accrual="RULES", rules=json.dumps(told), valid_from=valid_from,
        )  # fmt: skip
    shop.wire.ask("/v1/stock", limit=1)  # sales are judged by rules that are in by then


def rings_up(
    shop: Shop, store: str, number: int, day: date | None = None, *, till: str = "T1",
    yen: int = 1_000, when: datetime | None = None, paid: str = "CASH", **more: Any,
) -> Any:  # fmt: skip
    """A receipt with a number, soon after noon of its day."""
    day = day or datetime.now(UTC).date()
    noon = datetime.fromisoformat(f"{day}T12:00:00+09:00") + timedelta(seconds=number % 999)
    return shop.sells(
        line(shop.item(), yen=yen), at=store, when=when or noon, till=till, receipt=number,
        business_date=str(day), tenders=[{"kind": paid, "amount": yen}], **more,
    )  # fmt: skip


def closes(
    shop: Shop, store: str, day: date, numbers: tuple[int, int], count: int | None = None,
    yen: int | None = None, till: str = "T1", **more: Any,
) -> None:  # fmt: skip
    """A till closes a day whose receipts were all paid in cash."""
    first, last = numbers
    count = last - first + 1 if count is None else count
    if yen is not None:
        more["tenders"] = [{"kind": "CASH", "amount": yen}]
    shop.tell(
        "TerminalDayClosed", STORE, store, location_id=store, terminal_id=till,
        business_date=str(day), first_number=first, last_number=last, count=count, currency="JPY",
        **more,
    )  # fmt: skip


def the_day(shop: Shop, store: str, day: date) -> dict[str, Any]:
    """What is known of a store's business day."""
    found: dict[str, Any] = shop.wire.ask(f"/v1/business-days/{store}/{day}")
    return found


def the_till(shop: Shop, store: str, day: date, till: str = "T1") -> dict[str, Any]:
    """What is known of a till's business day."""
    tills = the_day(shop, store, day)["terminals"]
    return next(dict(one) for one in tills if one["terminal_id"] == till)


def missing(shop: Shop, store: str) -> int:
    """How many numbers the tills of a store have skipped."""
    return sum(one["missing"] for one in shop.wire.ask("/v1/terminals/gaps", store_id=store))


def today() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


@row("T3")
@pytest.mark.parametrize("described", ["before", "after"])
def test_t3_a_sale_after_midnight_of_yesterdays_business_date(shop: Shop, described: str) -> None:
    """T3. Given: a 5 % campaign from 00:00; a sale at 00:30 of yesterday's business date; in
    Japan, and in a store in New York that is described before the sale or after it.
    Right: 10 points, not 50; of a sale of the campaign's own day 50.
    """
    year = {"before": 2021, "after": 2022}[described]
    rules(
        shop, f"{year}-05-10T00:00:00+09:00", f"{year}-05-13T00:00:00+09:00",
        earn=[{"points": 5, "per": 100}],
    )  # fmt: skip
    hanako, jiro, mary, sue = (shop.member() for _ in range(4))
    when = datetime.fromisoformat(f"{year}-05-10T00:30:00+09:00")
    shop.sells(shop.item(), to=hanako, when=when, business_date=f"{year}-05-09")
    shop.sells(shop.item(), to=jiro, when=when, business_date=f"{year}-05-10")
    store = shop.store(time_zone="America/New_York") if described == "before" else f"S-{uuid4()}"
    # 10 May begins in New York at 13:00 in Japan: both are of the campaign's time in Japan
    lunch = datetime.fromisoformat(f"{year}-05-10T12:00:00+09:00")
    shop.sells(shop.item(), to=mary, at=store, when=lunch, business_date=f"{year}-05-09")
    shop.sells(shop.item(), to=sue, at=store, when=lunch, business_date=f"{year}-05-10")
    if described == "after":
        shop.tell(
            "LocationDescribed", HEAD_OFFICE, location_id=store, kind="STORE", name="Late",
            valid_from="2020-01-01T00:00:00Z", time_zone="America/New_York",
        )  # fmt: skip
    shop.until(lambda: shop.points(mary) == 50)  # the store may be known after its sale
    assert [shop.points(one) for one in (hanako, jiro, mary, sue)] == [10, 50, 50, 50]


@row("T3")
def test_t3_a_business_date_that_is_days_away(shop: Shop) -> None:
    """T3. Given: the same sale, whose till tells a business date three days before, or in 2099.
    Right: the date is not used, 50 points; a discrepancy clock that names the sale.
    """
    rules(
        shop, "2023-05-10T00:00:00+09:00", "2023-05-11T00:00:00+09:00",
        earn=[{"points": 5, "per": 100}],
    )  # fmt: skip
    when = datetime.fromisoformat("2023-05-10T00:30:00+09:00")
    for told in ("2023-05-07", "2099-05-10"):
        hanako = shop.member()
        sale = shop.sells(shop.item(), to=hanako, when=when, business_date=told, till="T9")
        assert shop.points(hanako) == 50
        (odd,) = shop.discrepancies("clock", about=sale)
        assert odd["terminal_id"] is None and odd["location_id"] == "S001"


@row("T4")
@pytest.mark.parametrize("use", ["DEPOSIT", "TRAINING", "NO_SALE", "VOID_OF_NOTHING"])
def test_t4_a_receipt_number_without_a_sale(shop: Shop, use: str) -> None:
    """T4. Given: receipts 1, 2, 4, 5; 3 was a deposit, training, no sale, a void of nothing.
    Right: 3 can be told; nothing is missing.
    """
    store = shop.store()
    for number in (1, 2, 4, 5):
        rings_up(shop, store, number)
    assert missing(shop, store) == 1
    shop.tell(
        "ReceiptNumberUsed", STORE, store, location_id=store, terminal_id="T1", number=3,
        used_for=use,
    )  # fmt: skip
    assert missing(shop, store) == 0


@row("T5")
@arrivals
def test_t5_the_first_and_the_last_receipt_of_a_day_are_lost(shop: Shop, arrival: str) -> None:
    """T5. Given: a till that starts at 1 each day; the first and the last receipt of the second
    day are lost; the days are closed, before or after their sales arrive.
    Right: both are missing, by the day's closing; the first day is complete.
    """
    store, second = shop.store(), today()
    first = second - timedelta(days=1)
    with shop.arriving(arrival):
        for number in (1, 2, 3, 4, 5):
            rings_up(shop, store, number, first)
        closes(shop, store, first, (1, 5), yen=5_000)
        for number in (2, 3, 4):
            rings_up(shop, store, number, second)
        closes(shop, store, second, (1, 5), yen=5_000)
    assert the_day(shop, store, first)["complete"] is True
    day = the_day(shop, store, second)
    assert (day["complete"], day["missing"]) == (False, 2)
    (till,) = day["terminals"]
    assert till["missing"] == [{"first": 1, "last": 1}, {"first": 5, "last": 5}]
    assert till["lacks"] == ["numbers_missing", "tenders_differ"]
    assert (till["closed"], till["received"]) == (5, 3)
    assert day["tenders"] == [
        {"currency": "JPY", "kind": "CASH", "received": 3_000, "closed": 5_000}
    ]
    for number in (5, 1):  # they were only late
        rings_up(shop, store, number, second)
    assert the_day(shop, store, second)["complete"] is True


@row("T6")
def test_t6_numbers_that_start_anew(shop: Shop) -> None:
    """T6. Given: 9998, 9999, 1, 2 after a reset; 202611280042 then 202611290001.
    Right: 0 missing; a hole of more than 1,000 numbers that no closed day bounds is a discrepancy
    numbering, until a closed day or people say what it is.
    """
    reset, dated, day = shop.store(), shop.store(), today()
    for number in (9_998, 9_999, 1, 2):
        rings_up(shop, reset, number, day)
    for number in (202_611_280_042, 202_611_290_001):
        rings_up(shop, dated, number, day)
    assert (missing(shop, reset), missing(shop, dated)) == (0, 0)
    (odd,) = shop.discrepancies("numbering", location_id=reset)
    assert (odd["terminal_id"], odd["quantity"]) == ("T1", 9_995)
    assert len(shop.discrepancies("numbering", location_id=dated)) == 1
    closes(shop, dated, day, (202_611_290_001, 202_611_290_001))
    assert shop.discrepancies("numbering", location_id=dated) == []
    assert missing(shop, dated) == 0
    assert shop.settles(odd, RIGHT).status_code == 201
    assert shop.discrepancies("numbering", location_id=reset) == []
    closes(shop, reset, day, (9_998, 2), count=4)
    assert the_till(shop, reset, day)["complete"]


@row("T6")
def test_t6_a_till_whose_clock_fell_back(shop: Shop) -> None:
    """T6. Given: a day is closed; on the next a till sells 101 to 103, falls back 400 days for 104
    and 105, sells 106 and closes. Right: the day lacks these two, which are stamped elsewhere: a
    discrepancy clock for each of them; their time stays as it was sent.
    """
    store, day = shop.store(), today()
    closes(shop, store, day - timedelta(days=1), (98, 100))
    for number in (98, 99, 100):
        rings_up(shop, store, number, day - timedelta(days=1))
    sales = {
        number: rings_up(
            shop, store, number, day - timedelta(days=400 if number in (104, 105) else 0)
        )
        for number in range(101, 107)
    }
    closes(shop, store, day, (101, 106), yen=6_000)
    till = the_till(shop, store, day)
    assert till["elsewhere"] == [{"first": 104, "last": 105}]
    assert till["lacks"] == ["numbers_elsewhere", "tenders_differ"]
    odd = shop.discrepancies("clock", location_id=store)
    told = {UUID(one["documents"][0]) for one in odd}
    assert told == {sales[104].transaction, sales[105].transaction}
    assert the_day(shop, store, day - timedelta(days=1))["complete"] is True


@row("T7")
def test_t7_points_that_expired_and_were_spent_before(shop: Shop) -> None:
    """T7. Given: 100 expired, 60 spent before, 50 new. Right: 50."""
    rules(
        shop, "2021-01-01T00:00:00+09:00", "2021-02-01T00:00:00+09:00",
        expiry={"kind": "months", "months": 1},
    )  # fmt: skip
    hanako = shop.member()
    bought = datetime.fromisoformat("2021-01-10T12:00:00+09:00")
    shop.sells(line(shop.item(), yen=10_000), to=hanako, when=bought)
    shop.settle()
    spent = bought + timedelta(days=5)
    shop.tell("PointsRedeemed", STORE, "S001", profile_id=hanako, points=60, when=spent)
    shop.sells(line(shop.item(), yen=5_000), to=hanako)
    assert shop.points(hanako) == 50


@row("T8")
@pytest.mark.parametrize("asked", ["20261120", "2026-11-20", "2026-11-20T18:00:00"])
def test_t8_a_time_without_an_offset(shop: Shop, asked: str) -> None:
    """T8. Given: `as_of=20261120`; `as_of` without an offset. Right: 422 with what is wanted."""
    hanako = shop.member()
    shop.sells(shop.item(), to=hanako)
    answer = shop.wire.get(f"/v1/members/{hanako}/points", as_of=asked)
    assert answer.status_code == 422
    assert "2026-11-20T18:00:00+09:00" in answer.text
