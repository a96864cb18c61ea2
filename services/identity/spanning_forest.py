"""Chooses which pairs at or above the link threshold become links: enough to connect the profiles.

In a large group of similar profiles, linking every pair would be quadratic. So each profile is
linked with at most three of smaller id: first with profiles that are not similar to each other, so
that no part is cut off, then by descending weight. Pairs that other links connect are left out. A
pair that is left out although nothing else connects it becomes a case. The result depends only on
the set of profiles and the staff decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

from services.identity.pairs import WEIGHT_DIGITS, Pair, PairEvidence
from services.identity.shards import pair_of

MOST = 3
Alike = Callable[[Pair], bool]


@dataclass(slots=True)
class SpanningLinks:
    """Chosen pairs: `linked`; and `spared`, not linked because other links connect them."""

    linked: set[Pair] = field(default_factory=set)
    spared: set[Pair] = field(default_factory=set)

    def add(
        self,
        profile_id: bytes,
        smaller: Mapping[bytes, PairEvidence],
        alike: Alike,
        apart: Set[Pair],
    ) -> None:
        """Links a profile with at most three of `smaller`: candidates of smaller id.

        By descending weight, a candidate that is similar to none of `first` joins `first`, and each
        other one `others`; first the former are linked, then the latter. Those of `others` that are
        not linked are spared, those of `first` become cases. `alike`: whether a pair reaches the
        link threshold; `apart`: pairs that staff separated, which are left out.
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
