"""How much does a test of many cases try? All on the main Python, a tenth on the others.

The other Pythons run every test as well; what differs between versions shows with few examples.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

FEWER_VARIABLE = "HITOTSU_FEWER_EXAMPLES"
PART = 10
DEFAULT_EXAMPLES = 100  # of Hypothesis, where a test gives no number

T = TypeVar("T")


def examples(number: int) -> int:
    """The number for `max_examples`; at least three, and a tenth where fewer are asked for."""
    return max(min(number, 3), number // PART) if _fewer() else number


def part_of(cases: Sequence[T]) -> Sequence[T]:
    """All cases of a list, or every tenth where fewer are asked for."""
    return cases[::PART] if _fewer() else cases


def load_profile() -> None:
    """Gives tests without `max_examples` a tenth of the default where fewer are asked for."""
    if _fewer():
        from hypothesis import settings

        settings.register_profile("fewer", max_examples=examples(DEFAULT_EXAMPLES))
        settings.load_profile("fewer")


def _fewer() -> bool:
    return bool(os.environ.get(FEWER_VARIABLE))
