"""Counts compared and differing values, and keeps the first ten differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class AnswerDifference:
    """An answered value that differs from the expected one."""

    key: str
    expected: Any
    answered: Any

    def __str__(self) -> str:
        return f"{self.key}: expected {self.expected!r}, answered {self.answered!r}"


@dataclass(slots=True)
class ReportRow:
    """The result of one question: numbers of compared and differing values, and examples."""

    name: str
    compared: int = 0
    differences: int = 0
    examples: list[AnswerDifference] = field(default_factory=list)

    def value(self, key: str, expected: object, answered: object) -> None:
        """Compares one answered value with the expected one; `key` names it in the report."""
        self.compared += 1
        if expected != answered:
            self._differs(key, expected, answered)

    def mapping(
        self, key: str, expected: Mapping[Any, Any], answered: Mapping[Any, Any], *, of: int = 0
    ) -> None:
        """Compares the values of two mappings by key; a missing key differs from any value.

        `of`: the least number of values to count as compared, also if both mappings are empty.
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
