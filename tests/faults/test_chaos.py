"""Everything is right after everything died, and workers that come and go lose nothing."""

from __future__ import annotations

import pytest

from tests.faults.__main__ import say, table
from tests.faults.runs import RUNS
from tests.faults.scene import Order, Report

pytestmark = [
    pytest.mark.servers,
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("broken_off"),
]


def shown(name: str, size: int, seed: int) -> Report:
    """A run at a small size; its table is in the output of a test that fails."""
    report = RUNS[name].run(Order(size, seed), say)
    say(table(report))
    return report


def test_kills_and_freezes_of_everything_leave_every_answer_right() -> None:
    report = shown("chaos", 20_000, 4)
    assert [line for line in report.lines if line.differences or not line.compared] == []
    assert report.faults >= 7


@pytest.mark.long
def test_joins_and_leaves_lose_nothing() -> None:
    assert shown("storm", 6, 5).good


@pytest.mark.long
def test_a_dead_letter_written_after_the_commit_is_missed() -> None:
    report = shown("control: letter-after", 2, 6)
    assert report.planted
    assert report.good
