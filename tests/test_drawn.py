"""Does the main Python draw every example, and each other one some?"""

from __future__ import annotations

import pytest

from tests.drawn import FEWER_VARIABLE, examples


def test_all_are_drawn_unless_fewer_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FEWER_VARIABLE, raising=False)
    assert [examples(number) for number in (2_000, 30, 3, 1)] == [2_000, 30, 3, 1]
    monkeypatch.setenv(FEWER_VARIABLE, "1")
    assert [examples(number) for number in (2_000, 30, 3, 1)] == [500, 7, 3, 1]
