"""Which of the pairs that the rules would link are linked? Enough to hold everybody together.

Of many who are alike each is linked with at most three of smaller id, apart all with all: first
with those who are not alike among themselves, so that nobody is cut off, then with the heaviest.
A pair that two others connect is left out. Who is left out though nothing else connects the two,
since three are linked already, is a case. It depends on who is known and on what persons decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

from services.identity.pairs import WEIGHT_DIGITS, Found, Pair
from services.identity.shards import pair_of

MOST = 3
Alike = Callable[[Pair], bool]


@dataclass(slots=True)
class SpanningLinks:
    """Pairs at or above the upper threshold: to be linked, and connected by others anyway."""

    linked: set[Pair] = field(default_factory=set)
    spared: set[Pair] = field(default_factory=set)

    def add(
        self, profile_id: bytes, smaller: Mapping[bytes, Found], alike: Alike, apart: Set[Pair]
    ) -> None:
        """Chooses for one profile, among those of smaller id who are alike enough to be linked.

        `alike` says so of two of them; `apart` are the pairs that a person set apart.
        """
        heaviest = sorted(
            smaller, key=lambda one: (-round(smaller[one].weight, WEIGHT_DIGITS), one)
        )
        first: list[bytes] = []
        others: list[bytes] = []
        for one in heaviest:
            if pair_of(one, profile_id) in apart:
                continue
            pairs = (pair_of(one, each) for each in first)
            connected = any(pair not in apart and alike(pair) for pair in pairs)
            (others if connected else first).append(one)
        linked = [*first, *others][:MOST]
        self.linked.update(pair_of(one, profile_id) for one in linked)
        self.spared.update(pair_of(one, profile_id) for one in others if one not in linked)
