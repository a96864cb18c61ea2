"""Is every row a test, or somebody's? Does every test say which row it shows?"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from tests.situations.rows import ROWS, SKIPPED, WORK_DONE
from tests.situations.tables import shown, situations

FOUND = Path(__file__).with_name("found.md")


def test_every_row_is_a_test_or_belongs_to_other_work() -> None:
    assert len(ROWS) == 62
    of_tables = {number for number in shown() if not number.startswith("F")}
    assert of_tables | SKIPPED.keys() == set(ROWS)
    assert of_tables & SKIPPED.keys() == set(), "tested, and skipped all the same"


def test_nothing_of_work_that_is_done_is_skipped() -> None:
    assert {number for number, work in SKIPPED.items() if work in WORK_DONE} == set()


@pytest.mark.parametrize("number", SKIPPED)
def test_a_row_of_other_work(number: str) -> None:
    """Named here until the work that it belongs to shows it."""
    pytest.skip(f"{number} belongs to: {SKIPPED[number]}")


def test_every_situation_that_was_found_is_a_test() -> None:
    listed = re.findall(r"^\| (F\d+) \| (\S+)#\d+: ", FOUND.read_text("utf-8"), re.M)
    assert len(listed) >= 20
    assert {number for number, _ in listed} == {one for one in shown() if one.startswith("F")}


def test_every_test_quotes_its_row() -> None:
    for name, test in situations().items():
        numbers, quoted = getattr(test, "rows", ()), inspect.getdoc(test) or ""
        assert numbers, f"{name} names no row"
        for number in numbers:
            assert f"{number}. Given: " in quoted, f"{name} does not quote {number}"
        assert "Right: " in quoted, name
