"""Is Japanese consumption tax that of a qualified invoice: rounded once for each rate, never more?

`jpy_taxes.txt` has a thousand receipts whose tax was computed with decimals, without the product.
The receipts below were published by the National Tax Agency or computed by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args
from uuid import UUID

import pytest

from projections.purchases.receipts import Receipt, not_adding_up
from services.points.program.apportionment import Rounding
from services.points.program.bases import tax_of_lines
from services.points.program.sold_lines import EarningSale, SoldLine

TABLE = Path(__file__).with_name("jpy_taxes.txt")
WAYS: tuple[Rounding, ...] = get_args(Rounding)


def sale(inside: bool, lines: list[tuple[int, int]]) -> EarningSale:
    sold = tuple(
        SoldLine(no, f"sku-{no}", 1, yen, tax_rate=rate * 100, tax_included=inside)
        for no, (rate, yen) in enumerate(lines, 1)
    )
    return EarningSale(UUID(int=1), UUID(int=2), 0, "STORE", sold)


def taxes(what: EarningSale, way: Rounding) -> list[int]:
    return tax_of_lines(what, what.discounted, way)


def by_rate(what: EarningSale, way: Rounding) -> dict[int, int]:
    found = dict.fromkeys((8, 10), 0)
    for line, tax in zip(what.lines, taxes(what, way), strict=True):
        found[(line.tax_rate or 0) // 100] += tax
    return found


def test_a_thousand_receipts_in_yen() -> None:
    rows = [row for row in TABLE.read_text("utf-8").splitlines() if not row.startswith("#")]
    assert len(rows) == 1_000
    for row in rows:
        inside, lines, wanted, shares = row.split(" | ")
        what = sale(
            inside == "in", [(int(r), int(y)) for r, y in (one.split(":") for one in lines.split())]
        )
        for way, both in zip(("floor", "half_up", "ceil"), wanted.split(), strict=True):
            assert by_rate(what, way) == dict(zip((8, 10), map(int, both.split("/")))), row  # type: ignore[arg-type]
        assert taxes(what, "floor") == [int(one) for one in shares.split()], row
        _adds_up(what, inside == "in")


def _adds_up(what: EarningSale, inside: bool) -> None:
    for way in WAYS:
        sums = []
        for rate, tax in by_rate(what, way).items():
            sold = sum(line.paid for line in what.lines if line.tax_rate == rate * 100)
            sums.append((rate * 100, sold - tax if inside else sold, tax))
        rates = {line.line_no: (line.tax_rate, inside) for line in what.lines}
        receipt = Receipt(by_rate=tuple(sums), rates=rates)
        total = sum(net + tax for _, net, tax in sums)
        assert not_adding_up(what.lines, total, receipt) == []
        assert "lines" in not_adding_up(what.lines, total + 1, receipt)


# inside or added, lines by rate, tax at 8 % and 10 %: down, half up, up
BY_HAND: list[tuple[bool, list[tuple[int, int]], str]] = [
    # the agency's: each line rounded would be 2,163 and 2,814
    (False, [(8, 13_861), (8, 13_199), (10, 4_389), (10, 23_769)], "2164/2815 2165/2816 2165/2816"),
    # the agency's invoice: 43,200 and 88,000 with tax, 40,000 and 80,000 without
    (True, [(8, 43_200), (10, 88_000)], "3200/8000 3200/8000 3200/8000"),
    (False, [(8, 40_000), (10, 80_000)], "3200/8000 3200/8000 3200/8000"),
    (True, [(8, 1_080), (10, 1_100)], "80/100 80/100 80/100"),
    (True, [(8, 108)], "8/0 8/0 8/0"),
    (True, [(10, 110)], "0/10 0/10 0/10"),
    (True, [(8, 1)], "0/0 0/0 1/0"),
    (True, [(10, 1)], "0/0 0/0 0/1"),
    (True, [(10, 5)], "0/0 0/0 0/1"),
    (True, [(10, 6)], "0/0 0/1 0/1"),
    (True, [(8, 6)], "0/0 0/0 1/0"),
    (True, [(8, 7)], "0/0 1/0 1/0"),
    (True, [(8, 100)], "7/0 7/0 8/0"),
    (True, [(10, 100)], "0/9 0/9 0/10"),
    (True, [(8, 99), (8, 99), (8, 99)], "22/0 22/0 22/0"),
    (True, [(10, 99), (10, 99), (10, 99)], "0/27 0/27 0/27"),
    (True, [(8, 101), (8, 101), (8, 101)], "22/0 22/0 23/0"),
    (True, [(10, 101), (10, 101), (10, 101)], "0/27 0/28 0/28"),
    (True, [(8, 298), (8, 198), (10, 980)], "36/89 37/89 37/90"),
    (True, [(10, 1_000)], "0/90 0/91 0/91"),
    (True, [(8, 1_000)], "74/0 74/0 75/0"),
    (False, [(10, 5)], "0/0 0/1 0/1"),
    (False, [(10, 15)], "0/1 0/2 0/2"),
    (False, [(10, 4)], "0/0 0/0 0/1"),
    (False, [(8, 6)], "0/0 0/0 1/0"),
    (False, [(8, 7)], "0/0 1/0 1/0"),
    (False, [(8, 99), (8, 99)], "15/0 16/0 16/0"),
    (False, [(10, 99), (10, 99)], "0/19 0/20 0/20"),
    (False, [(8, 150), (10, 150)], "12/15 12/15 12/15"),
    (False, [(8, 1_234), (10, 5_678)], "98/567 99/568 99/568"),
    (True, [(8, 1_234), (10, 5_678)], "91/516 91/516 92/517"),
    (True, [(8, 540), (8, 324), (10, 220)], "64/20 64/20 64/20"),
    (True, [(10, 33), (10, 33), (10, 33), (8, 27)], "2/9 2/9 2/9"),
    (True, [(8, 999_999), (10, 999_999)], "74074/90909 74074/90909 74074/90909"),
    (False, [(8, 999_999), (10, 999_999)], "79999/99999 80000/100000 80000/100000"),
]  # fmt: skip


@pytest.mark.parametrize(("inside", "lines", "wanted"), BY_HAND)
def test_receipts_that_were_published_or_computed_by_hand(
    inside: bool, lines: list[tuple[int, int]], wanted: str
) -> None:
    what = sale(inside, lines)
    found = [by_rate(what, way) for way in ("floor", "half_up", "ceil")]
    assert " ".join(f"{one[8]}/{one[10]}" for one in found) == wanted
