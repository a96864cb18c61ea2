"""Situations of found.md about business days: whose day a sale is, and what a day adds up to."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from tests.situations.answers import Shop
from tests.situations.days import closes, missing, rings_up, the_day, the_till, today
from tests.situations.facts import STORE, line
from tests.situations.rows import arrivals, row


def sold_on(shop: Shop, zone: str, when: str, **store: str) -> list[str]:
    """The dates, of the day before to the day after, on which a sale without a date counts."""
    code = shop.store(time_zone=zone, **store)
    at = datetime.fromisoformat(when)
    cash = [{"kind": "CASH", "amount": 1_000}]
    shop.sells(line(shop.item()), at=code, when=at, till="T1", receipt=1, tenders=cash)
    days = [at.date() + timedelta(days=n) for n in (-1, 0, 1)]
    return [str(day) for day in days if the_day(shop, code, day)["tenders"]]


@row("F60")
def test_f60_a_sale_in_the_evening_west_of_greenwich(shop: Shop) -> None:
    """F60. Given: a sale at 18:30 in Mexico, where it is the next day in Greenwich.
    Right: it counts on the day on which it was made there, and on no other.
    """
    found = sold_on(shop, "America/Mexico_City", "2026-03-10T18:30:00-06:00")
    assert found == ["2026-03-10"]


@row("F61")
def test_f61_a_sale_after_midnight_east_of_greenwich(shop: Shop) -> None:
    """F61. Given: a sale at 00:30 in Berlin, where it is the day before in Greenwich; the same in
    a bar in Berlin whose day starts at 06:00. Right: the new day; the day before.
    """
    assert sold_on(shop, "Europe/Berlin", "2026-03-10T00:30:00+01:00") == ["2026-03-10"]
    bar = sold_on(shop, "Europe/Berlin", "2026-03-10T00:30:00+01:00", day_starts_at="06:00")
    assert bar == ["2026-03-09"]


@row("F62")
def test_f62_a_day_without_midnight(shop: Shop) -> None:
    """F62. Given: a sale at 01:10 in Santiago on the day on which clocks go from 24:00 to 01:00,
    and one twenty minutes before. Right: that day; the day before.
    """
    assert sold_on(shop, "America/Santiago", "2025-09-07T01:10:00-03:00") == ["2025-09-07"]
    assert sold_on(shop, "America/Santiago", "2025-09-06T23:50:00-04:00") == ["2025-09-06"]


@row("F63")
def test_f63_a_day_of_25_hours(shop: Shop) -> None:
    """F63. Given: a sale at 23:30 in New York on the day on which clocks go back, 24.5 hours after
    it began. Right: it counts on that day.
    """
    assert sold_on(shop, "America/New_York", "2025-11-02T23:30:00-05:00") == ["2025-11-02"]


@row("F64")
@arrivals
def test_f64_cash_and_codes_of_one_day(shop: Shop, arrival: str) -> None:
    """F64. Given: 500 in cash and 300 by QR, one sale paid by both; the till closes with a sum of
    each, then with cash and QR exchanged. Right: each means its own sum; what differs is told.
    """
    store, day = shop.store(), today()
    cash, code = {"kind": "CASH", "amount": 500}, {"kind": "QR", "amount": 300}
    with shop.arriving(arrival):
        shop.sells(
            line(shop.item(), yen=800), at=store, till="T1", receipt=1, business_date=str(day),
            when=datetime.fromisoformat(f"{day}T12:00:00+09:00"), tenders=[cash, code],
        )  # fmt: skip
        closes(shop, store, day, (1, 1), tenders=[cash, code])
    assert the_day(shop, store, day)["complete"] is True
    assert the_day(shop, store, day)["tenders"] == [
        {"currency": "JPY", "kind": "CASH", "received": 500, "closed": 500},
        {"currency": "JPY", "kind": "QR", "received": 300, "closed": 300},
    ]
    exchanged = [cash | {"kind": "QR"}, code | {"kind": "CASH"}]
    closes(shop, store, day, (1, 1), tenders=exchanged)
    assert the_till(shop, store, day)["lacks"] == ["tenders_differ"]


@row("F65")
def test_f65_numbers_that_are_skipped_between_two_sessions(shop: Shop) -> None:
    """F65. Given: a till closes 1 to 10; the next day it begins at 13, because closing took two
    numbers; then it tells what for. Right: both days are complete; 2 missing until it tells.
    """
    store, day = shop.store(), date.fromisoformat("2026-10-06")
    for number in range(1, 11):
        rings_up(shop, store, number, day)
    closes(shop, store, day, (1, 10), yen=10_000)
    for number in (13, 14):
        rings_up(shop, store, number, day + timedelta(days=1))
    closes(shop, store, day + timedelta(days=1), (13, 14), yen=2_000)
    assert [the_day(shop, store, day + timedelta(days=n))["complete"] for n in (0, 1)] == [True] * 2
    assert missing(shop, store) == 2
    for number in (11, 12):
        shop.tell(
            "ReceiptNumberUsed", STORE, store, location_id=store, terminal_id="T1", number=number,
            used_for="NO_SALE", business_date=str(day),
        )  # fmt: skip
    assert missing(shop, store) == 0


@row("F88")
@pytest.mark.parametrize("numbers", [None, (6, 5)])
def test_f88_a_day_without_a_receipt(shop: Shop, numbers: tuple[int, int] | None) -> None:
    """F88. Given: a till closes a day with 0 receipts, by no numbers or by those around them; then
    a receipt comes after all, and the day is closed again.
    Right: complete, nothing missing; complete again.
    """
    store, day = shop.store(), today()
    first, last = numbers or (None, None)
    for receipts in (0, 1):
        if receipts:
            rings_up(shop, store, 6, day)
            first = last = 6
        shop.tell(
            "TerminalDayClosed", STORE, store, location_id=store, terminal_id="T1", count=receipts,
            business_date=str(day), first_number=first, last_number=last, currency="JPY",
            tenders=[{"kind": "CASH", "amount": 1_000 * receipts}],
        )  # fmt: skip
        found = the_till(shop, store, day)
        assert (found["complete"], found["lacks"], found["closed"]) == (True, [], receipts)
        assert (the_day(shop, store, day)["complete"], missing(shop, store)) == (True, 0)
