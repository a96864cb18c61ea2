"""Counts compared and differing values, and lists the differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class AnswerDifference:
    """A value that differs from the oracle's."""

    key: str
    expected: Any
    answered: Any

    def __str__(self) -> str:
        return f"{self.key}: expected {self.expected!r}, answered {self.answered!r}"


@dataclass(slots=True)
class ReportRow:
    """One row of the report."""

    name: str
    compared: int = 0
    differences: int = 0
    examples: list[AnswerDifference] = field(default_factory=list)

    def value(self, key: str, expected: object, answered: object) -> None:
        """Compares one value."""
        self.compared += 1
        if expected != answered:
            self._differs(key, expected, answered)

    def mapping(
        self, key: str, expected: Mapping[Any, Any], answered: Mapping[Any, Any], *, of: int = 0
    ) -> None:
        """Compares values by key; `of`: how many there are if absence on both sides counts as
        equal.
        """
        keys = expected.keys() | answered.keys()
        self.compared += max(of, len(keys))
        if expected == answered:
            return
        for one in sorted(keys, key=str):
            if expected.get(one) != answered.get(one):
                self._differs(f"{key}{one}", expected.get(one), answered.get(one))

    def _differs(self, key: str, expected: object, answered: object) -> None:
        self.differences += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(AnswerDifference(key, expected, answered))
