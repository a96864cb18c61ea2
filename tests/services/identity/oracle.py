"""What should stand in the end? Everybody compared with everybody, in one go, from the tables.

It shares with the matcher what a pair weighs and which keys bring two together, and nothing else:
no shares, no progress, no memory of before, no log.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple
from uuid import UUID

from projections.member import PERSONAL
from schemas.personal.seal import unseal
from services.identity.matching.blocking_keys import keys_of
from services.identity.matching.candidates import CandidateIndex
from services.identity.matching.features import Features, Person, features
from services.identity.matching.model import MatchModel
from services.identity.pairs import WEIGHT_DIGITS
from services.runtime.keys import KeyEncryption
from tests.services.identity.town import Town

Pair = tuple[UUID, UUID]
Stands = tuple[Pair, float, tuple[str, ...]]


class Outcome(NamedTuple):
    """Links and open cases: pair, weight, evidence."""

    links: set[Stands]
    cases: set[Stands]


def expected(place: Town, model: MatchModel) -> Outcome:
    """By the model, for everybody whom the projection holds now, and what persons decided."""
    known = CandidateIndex(model)
    people = _people(place)
    no = {
        (row[0], row[1])
        for row in place.road.sql(
            "select profile_id, other_profile_id from profile_link where verdict = 'apart'"
        )
    }
    links, cases = set[Stands](), set[Stands]()
    heavy: dict[UUID, dict[UUID, Stands]] = {}
    keys = keys_of(model.salt, model.blocking.keys)
    brought = {profile: keys(each) for profile, each in people.items()}
    for one, other in combinations(sorted(people), 2):
        if brought[one].isdisjoint(brought[other]):
            continue
        weight = known.weight(people[one], people[other])
        if weight < model.lower:
            continue
        told = known.explain(people[one], people[other])
        evidence = tuple(f"{each.field}:{each.level}" for each in told if each.level)
        stands = ((one, other), round(weight, WEIGHT_DIGITS), evidence)
        if (one, other) in no:
            continue
        if weight >= model.upper:
            heavy.setdefault(other, {})[one] = stands
        else:
            cases.add(stands)
    for smaller in heavy.values():
        kept, left = _kept(smaller, heavy)
        links |= kept
        cases |= left
    return Outcome(links, cases)


def _kept(
    smaller: dict[UUID, Stands], heavy: dict[UUID, dict[UUID, Stands]]
) -> tuple[set[Stands], set[Stands]]:
    """Three at most: those whom nobody before them connects, then the heaviest; and who is left."""
    alone: list[UUID] = []
    order = sorted(smaller, key=lambda one: (-smaller[one][1], one))
    for one in order:
        if not any(min(one, each) in heavy.get(max(one, each), {}) for each in alone):
            alone.append(one)
    kept = [*alone, *(one for one in order if one not in alone)][:3]
    return {smaller[one] for one in kept}, {smaller[one] for one in alone[3:]}


def found(place: Town, version: str) -> Outcome:
    """What the matcher made: links as the projection applied them, cases as they are open."""
    links = place.road.sql(
        "select profile_id, other_profile_id, weight, evidence from rule_link"
        " where rule_version = %s and verdict = 'linked'", version,
    )  # fmt: skip
    cases = place.road.sql(
        "select profile_id, other_profile_id, weight, evidence from identity_case"
        " where rule_version = %s and closed_at is null", version,
    )  # fmt: skip
    return Outcome(set(map(_stands, links)), set(map(_stands, cases)))


def _stands(row: Any) -> Stands:
    return ((row[0], row[1]), round(row[2], WEIGHT_DIGITS), tuple(row[3]))


def _people(place: Town) -> dict[UUID, Features]:
    kek = KeyEncryption(place.road.settings.key_encryption_key)
    keys = {
        UUID(bytes=bytes(subject)): kek.unwrap(bytes(subject), bytes(wrapped), by)
        for subject, wrapped, by in place.road.sql(
            "select subject, wrapped, kek_id from subject_key where wrapped is not null"
        )
    }
    shown: dict[UUID, list[tuple[str, bytes]]] = {}
    for profile, kind, index in place.road.sql(
        "select profile_id, kind, value_index from identifier"
    ):
        shown.setdefault(profile, []).append((kind, index.bytes))
    found: dict[UUID, Features] = {}
    for profile, *sealed in place.road.sql(
        f"select profile_id, {', '.join(PERSONAL)} from profile"
    ):
        if profile in keys:
            clear = {
                name: unseal(keys[profile], stored[:16], name, profile.bytes, stored[16:])
                for name, stored in zip(PERSONAL, sealed, strict=True)
                if stored is not None
            }
            person = Person(**clear, identifiers=tuple(shown.get(profile, ())))
            found[profile] = features(person)
    return found
