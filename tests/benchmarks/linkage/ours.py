"""The product's own matching, as its process does it: profile by profile, as they arrive.

The model is estimated from the same records without their truth, as Splink's is. Then each record
is compared with those before it: from `upper` on a pair is linked, from `lower` on it is a case.
*Links* are those pairs; *members* are who hangs together by them, as readers get it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b

from schemas.personal import normalise
from services.identity.matching import CandidateIndex, Person, features
from services.identity.matching.estimate import estimate
from tests.benchmarks.linkage.records import DataSet, Linked, Pairs, Record


def entrants(data: DataSet) -> Iterable[tuple[str, Linked]]:
    """Both readings of one run."""
    began = time.perf_counter()
    apart = len(data.sources) == 2  # two sets without duplicates of their own are linked
    people = {record.id.encode(): features(person_of(record)) for record in data.records}
    model = estimate(people.values())
    known, source = (
        CandidateIndex(model),
        {record.id.encode(): record.source for record in data.records},
    )
    links: Pairs = set()
    cases: Pairs = set()
    for record in data.records:
        one = record.id.encode()
        for found in known.candidates(people[one]):
            if apart and source[found.profile_id] == record.source:
                continue
            pair = frozenset((record.id, found.profile_id.decode()))
            (links if found.weight >= model.upper else cases).add(pair)
        known.learn(one, people[one])
    seconds = time.perf_counter() - began
    members = _members(links)
    yield "ours: links", Linked(links, cases, seconds)
    yield "ours: members", Linked(members, cases - members, seconds)


def person_of(record: Record) -> Person:
    """What the matcher opens of a profile."""
    texts = (record.name, record.name_kana, record.postcode, record.address, record.birth_date)
    return Person(
        *(text or None for text in texts),
        identifiers=tuple((kind, _index(kind, value)) for kind, value in record.identifiers),
    )


def _index(kind: str, value: str) -> bytes:
    """Stands for the blind index: equal where the normalised values are."""
    with suppress(ValueError):  # the gateway would refuse it; here what was written is compared
        value = normalise(kind, value)
    return blake2b(f"{kind}\0{value}".encode(), digest_size=16).digest()


def _members(links: Pairs) -> Pairs:
    """Every pair that hangs together by links."""
    group: dict[str, set[str]] = {}
    for one, other in map(sorted, links):
        joined = group.setdefault(one, {one}) | group.setdefault(other, {other})
        for each in joined:
            group[each] = joined
    return {
        frozenset((one, other))
        for joined in {id(each): each for each in group.values()}.values()
        for one in joined
        for other in joined
        if one < other
    }
