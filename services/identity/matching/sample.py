"""Samples profiles and pairs for an estimate; independent of the order in which profiles come.

Profiles are chosen by a hash of their features, pairs by a generator seeded by the salt. A sample
of profiles has the same share of true pairs among its pairs as all profiles.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from random import Random
from typing import NamedTuple

from services.identity.matching import blocking_keys
from services.identity.matching.comparisons import ComparedPair, compare
from services.identity.matching.features import Features
from services.identity.matching.model import SALT, hashed

Patterns = Counter[tuple[int, ...]]
"""Number of pairs by their levels."""


class Sample(NamedTuple):
    """The chosen profiles, in hash order."""

    people: list[Features]
    known: int
    """Number of profiles from which they were chosen."""

    @property
    def share(self) -> float:
        return len(self.people) / self.known


class Pairs(NamedTuple):
    """Ordered pairs of the sample: its first profiles, each with every other profile."""

    blocked: Patterns
    """Pairs that share a blocking key."""
    compared: list[ComparedPair]
    """The same pairs as a list."""
    random: Patterns
    """Random pairs."""
    total: int
    """Number of ordered pairs in all, of which `blocked` share a key."""


def sample(people: Iterable[Features], salt: int, most: int) -> Sample:
    """Chooses all profiles if there are at most `most`, else about `most` / 2 to `most` of them."""
    kept: list[tuple[int, Features]] = []
    seen: Counter[int] = Counter()
    bound, known = SALT, 0
    for one in people:
        known += 1
        plain = hashed(salt, one.packed().decode())
        # Profiles with equal features get different hashes: else they would be chosen together.
        seen[plain] += 1
        mark = hashed(salt, f"{plain}\x1f{seen[plain]}")
        if mark <= bound:
            kept.append((mark, one))
        while len(kept) > most:
            bound //= 2
            kept = [pair for pair in kept if pair[0] <= bound]
    kept.sort()
    return Sample([one for _, one in kept], known)


def crowded(chosen: Sample, salt: int, names: Iterable[str], limit: int) -> tuple[Index, set[int]]:
    """The sample by blocking key, and the keys that are too common.

    A key is too common if, by the sample, more than `limit` of all profiles share it.
    """
    index: Index = defaultdict(list)
    keys_of = blocking_keys.keys_of(salt, tuple(names))
    for place, one in enumerate(chosen.people):
        for key in keys_of(one):
            index[key].append(place)
    bound = max(2.0, limit * chosen.share)
    return index, {key for key, places in index.items() if len(places) > bound}


Index = defaultdict[int, list[int]]


def pairs(
    chosen: Sample, index: Index, common: set[int], salt: int, names: Iterable[str],
    kinds: tuple[str, ...], probes: int, at_random: int,
) -> Pairs:  # fmt: skip
    """Compares the first `probes` profiles with those that share a key, and `at_random` pairs.

    `common`: keys that are not used.
    """
    people = chosen.people
    keys_of = blocking_keys.keys_of(salt, tuple(names))
    blocked: list[ComparedPair] = []
    probed = min(probes, len(people))
    for place in range(probed):
        one = people[place]
        others = {other for key in keys_of(one) - common for other in index[key]}
        others.discard(place)
        blocked += (compare(one, people[other], kinds) for other in sorted(others))
    drawn: Patterns = Counter(
        compare(people[one], people[other], kinds).levels
        for one, other in _drawn(len(people), at_random, salt)
    )
    patterns = Counter(compared.levels for compared in blocked)
    return Pairs(patterns, blocked, drawn, probed * (len(people) - 1))


def _drawn(people: int, wanted: int, salt: int) -> Iterator[tuple[int, int]]:
    """Random pairs; all pairs when there are few."""
    if people * (people - 1) // 2 <= wanted:
        for one in range(people):
            for other in range(one):
                yield one, other
        return
    dice = Random(salt)
    for _ in range(wanted):
        one, other = dice.randrange(people), dice.randrange(people - 1)
        yield one, other + (other >= one)
