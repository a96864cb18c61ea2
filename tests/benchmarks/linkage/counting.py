"""How many of the true pairs were found, how many of the found are true, what did it cost?

Precision is the share of the linked pairs that are true, recall the share of the true pairs that
are linked, F1 their harmonic mean (van Rijsbergen 1979). A case is neither linked nor lost:
`review` is the share of the true pairs that wait there, `case_precision` the share of cases that
are true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.benchmarks.linkage.records import DataSet, Linked, Pairs


class Score(NamedTuple):
    """The figures of one linker on one data set."""

    true: int
    linked: int
    right: int
    precision: float
    recall: float
    f1: float
    cases: int
    case_precision: float
    review: float
    households_merged: int
    seconds: float


def score(data: DataSet, found: Linked) -> Score:
    """`households_merged` counts linked pairs of two persons of one household.

    Raises ValueError if a pair is none, or of records that the data set does not have.
    """
    known = {record.id for record in data.records}
    for pair in (*found.pairs, *found.cases):
        if len(pair) != 2 or not pair <= known:
            raise ValueError(f"pairs: {sorted(pair)} is not a pair of records of {data.name}")
    right = len(found.pairs & data.truth)
    cases = found.cases - found.pairs
    waiting = len(cases & data.truth)
    return Score(
        len(data.truth), len(found.pairs), right,
        *rates(right, len(found.pairs), len(data.truth)),
        len(cases), _share(waiting, len(cases)), _share(waiting, len(data.truth)),
        sum(_is_household(data, pair) for pair in found.pairs), found.seconds,
    )  # fmt: skip


def rates(right: int, linked: int, true: int) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    return _share(right, linked), _share(right, true), _share(2 * right, linked + true)


def closed(pairs: Iterable[frozenset[str]]) -> Pairs:
    """With a and b, and b and c of one person, a and c are too."""
    return {pair for added in closing(pairs) for pair in added}


def closing(pairs: Iterable[frozenset[str]]) -> Iterator[Pairs]:
    """For each pair, those that it adds to what the pairs before it have closed."""
    groups: dict[str, set[str]] = {}
    for one, other in (sorted(pair) for pair in pairs):
        mine, theirs = groups.setdefault(one, {one}), groups.setdefault(other, {other})
        if mine is theirs:
            yield set()
            continue
        yield {frozenset((a, b)) for a in mine for b in theirs}
        mine |= theirs
        groups |= dict.fromkeys(theirs, mine)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _is_household(data: DataSet, pair: frozenset[str]) -> bool:
    one, other = pair
    household = data.household.get(one)
    return (
        household is not None
        and household == data.household.get(other)
        and data.person[one] != data.person[other]
    )
