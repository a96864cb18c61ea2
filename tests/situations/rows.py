"""The rows: which there are, and which belong to other work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.situations.facts import ARRIVALS

arrivals = pytest.mark.parametrize("arrival", ARRIVALS)
"""However the documents arrive, the answer is the same."""
Test = TypeVar("Test", bound=Callable[..., None])
LENGTHS = {"C": 14, "S": 18, "T": 8, "M": 12, "P": 10}
ROWS = [f"{letter}{number}" for letter, most in LENGTHS.items() for number in range(1, most + 1)]

IDENTITY = "identity"
SCALING = "partitions that are added"
WORK_DONE: frozenset[str] = frozenset()
"""Work that is done: none of its rows may be skipped any more."""
SKIPPED = {
    "P7": IDENTITY,
    "P8": IDENTITY,
    "P9": SCALING,
}
"""Rows that are not tested here yet, by the work that they belong to."""


def row(*numbers: str) -> Callable[[Test], Test]:
    """Says which rows a test shows."""

    def marked(test: Test) -> Test:
        test.rows = numbers  # type: ignore[attr-defined]
        return test

    return marked
