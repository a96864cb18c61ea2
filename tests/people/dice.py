"""What happens this time, and how often has it happened?"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from tests.people.rates import RATES

T = TypeVar("T")


class Dice:
    """One stream of chance for everything; `tally` has the tries and the hits of every rate.

    Only `Random.random` is asked, whose numbers are the same for a seed on every Python.
    """

    def __init__(self, seed: int, tally: dict[str, list[int]]) -> None:
        self.random = Random(f"people {seed}").random
        self._tally = tally
        for what in RATES:
            tally[what] = [0, 0]

    def happens(self, what: str) -> bool:
        counted = self._tally[what]
        counted[0] += 1
        if self.random() < RATES[what]:
            counted[1] += 1
            return True
        return False

    def pick(self, among: Sequence[T]) -> T:
        return among[int(self.random() * len(among))]

    def below(self, end: int) -> int:
        return int(self.random() * end)
