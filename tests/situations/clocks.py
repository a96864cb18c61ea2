"""Rows T1 and T2 of the table Clocks and days: tills whose clock is wrong."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.situations.answers import Shop
from tests.situations.rows import row


@row("T1")
@pytest.mark.parametrize("told", [True, False], ids=["sent-at", "no sent-at"])
def test_t1_a_till_that_lives_in_2099(shop: Shop, told: bool) -> None:
    """T1. Given: sold 1 of 10 stamped 2099 now; counted 9; counted 9 again.
    Right: 9; 9; a discrepancy names the terminal; suppressed from now.
    """
    shirt, hanako, till = shop.item("SHIRT"), shop.member(), f"T-{shop.item()}"
    stamp = datetime(2099, 1, 1, tzinfo=UTC)
    shop.counts(shirt, "S001", 10)
    with shop.one_request(sent_at=stamp if told else None):
        shop.sells(shirt, to=hanako, when=stamp, till=till)
    assert shop.shelf(shirt, "S001").on_hand == 9
    for _ in range(2):
        shop.counts(shirt, "S001", 9)
        assert shop.shelf(shirt, "S001").on_hand == 9
    assert shop.suppressed(hanako, shirt) == [shirt]
    assert shop.points(hanako) == 10
    assert shop.discrepancies("clock", about=till.upper())


@row("T2")
def test_t2_a_till_that_fell_back_to_2000(shop: Shop) -> None:
    """T2. Given: counted 10; till fell back to 2000-01-01, sells 1 now (the request carries its
    sent-at). Right: 9.
    """
    shirt, hanako = shop.item("SHIRT"), shop.member()
    stamp = datetime(2000, 1, 1, tzinfo=UTC)
    shop.counts(shirt, "S001", 10)
    with shop.one_request(sent_at=stamp):
        shop.sells(shirt, to=hanako, when=stamp)
    assert shop.shelf(shirt, "S001").on_hand == 9
    assert shop.suppressed(hanako, shirt) == [shirt]
    assert shop.points(hanako) == 10
