"""Does the main Python try every case, and each other one some?"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.drawn import FEWER_VARIABLE, examples, part_of

ROOT = Path(__file__).resolve().parents[1]
DRAWN_BY_DEFAULT = """
from hypothesis import settings
from tests.drawn import load_profile
load_profile()
print(settings().max_examples)
"""


def test_all_are_drawn_unless_fewer_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FEWER_VARIABLE, raising=False)
    assert [examples(number) for number in (2_000, 30, 3, 1)] == [2_000, 30, 3, 1]
    assert part_of(range(100)) == range(100)
    monkeypatch.setenv(FEWER_VARIABLE, "1")
    assert [examples(number) for number in (2_000, 30, 3, 1)] == [200, 3, 3, 1]
    assert part_of(range(100)) == range(0, 100, 10)


@pytest.mark.parametrize(("fewer", "drawn"), [("", "100"), ("1", "10")])
def test_a_property_without_a_number_draws_as_many(
    monkeypatch: pytest.MonkeyPatch, fewer: str, drawn: str
) -> None:
    monkeypatch.setenv(FEWER_VARIABLE, fewer)
    command = [sys.executable, "-c", DRAWN_BY_DEFAULT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == drawn


def test_every_number_of_examples_is_less_where_fewer_are_asked_for() -> None:
    """A number that is written straight into `max_examples` is drawn on every Python."""
    straight = re.compile(r"max_examples=(?!examples\()")
    places = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if path != Path(__file__)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if straight.search(line)
    ]
    assert places == []
