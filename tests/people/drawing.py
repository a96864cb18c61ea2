"""How is something drawn by its frequency, quickly and the same on every machine?"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")


class Draw(Generic[T]):
    """Values with weights; called with a number of [0, 1), it gives the value that is there."""

    def __init__(self, values: Sequence[T], weights: Iterable[float]) -> None:
        self.values = values
        sums = list(accumulate(weights))
        if len(sums) != len(values):
            raise ValueError(f"weights: {len(sums)} for {len(values)} values")
        self._sums = [each / sums[-1] for each in sums]
        self._last = len(values) - 1

    def __call__(self, at: float) -> T:
        return self.values[min(bisect(self._sums, at), self._last)]
