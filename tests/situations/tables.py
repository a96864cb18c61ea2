"""The tables of situations, and which tests show which row."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from tests.situations import (
    clocks,
    codes,
    corrections,
    days,
    found_codes,
    found_corrections,
    found_days,
    found_money,
    found_programs,
    found_receipts,
    found_stock,
    more_orders,
    people,
    programs,
    receipts,
    stock,
    weights,
)

TABLES = (
    corrections, stock, clocks, people, programs, receipts, days, found_corrections, found_stock,
    found_programs, found_receipts, found_days, weights, more_orders,
    codes, found_codes, found_money,
)  # fmt: skip
Test = Callable[..., Any]


def situations() -> dict[str, Test]:
    """Every test of the tables, by name."""
    found = [
        (name, test)
        for table in TABLES
        for name, test in inspect.getmembers(table, inspect.isfunction)
        if name.startswith("test_")
    ]
    assert len({name for name, _ in found}) == len(found), "two tests have one name"
    return dict(found)


def shown() -> dict[str, list[Test]]:
    """By row, the tests that show it."""
    by_row: dict[str, list[Test]] = {}
    for test in situations().values():
        for number in getattr(test, "rows", ()):
            by_row.setdefault(number, []).append(test)
    return by_row
