"""The in-memory index of all profiles, and the search for those similar to a given profile.

It holds the features of profiles (normal forms of their data) and compares them under one version
of the match rules. Postgres also stores the features, sealed, so that a restart does not have to
normalise all profiles again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from schemas.personal import Unsealable
from schemas.personal.seal import seal, unseal
from services.identity.matching.candidates import Candidate, CandidateIndex
from services.identity.matching.features import Features, Person, features
from services.identity.matching.model import MatchModel
from services.identity.pairs import Pair, PairEvidence
from services.identity.people import SLICE
from services.identity.store import FORM, StoredFeatures
from services.runtime.db import Connection
from services.runtime.keys import SubjectKeys
from services.runtime.logging import log

FIELD = "match_features"
STORED = """
select profile_id, "offset", at, features from hitotsu.match_features
where form = %s and profile_id > %s order by profile_id limit %s
"""
AT_ONCE = 2_000


class ProfileIndex:
    """All profiles by id: their features, and the time of the state that they were made from."""

    def __init__(self, version: str, model: MatchModel) -> None:
        self.version, self.model = version, model
        self.known = CandidateIndex(model)
        self._at: dict[bytes, int] = {}
        self._levels = [
            [f"{one.field}:{level.name}" for level in one.levels] for one in model.comparisons
        ]

    def __len__(self) -> int:
        return len(self.known)

    def __contains__(self, profile_id: bytes) -> bool:
        return profile_id in self.known

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.known)

    def time_of(self, profile_id: bytes) -> int:
        """The time of the profile's state in microseconds; 0 when the profile is unknown."""
        return self._at.get(profile_id, 0)

    def learn(self, profile_id: bytes, known: Features | None, at: int) -> None:
        """Replaces a profile's features; `known` None removes the profile (erased or unknown).

        `at`: time of the profile's state in microseconds; an earlier time is ignored.
        """
        self._at[profile_id] = max(at, self._at.get(profile_id, 0))
        if known is None:
            self.known.forget(profile_id)
        else:
            self.known.learn(profile_id, known)

    def candidates_of(self, profile_id: bytes) -> dict[bytes, PairEvidence]:
        """The profiles that may be the same person, by id; {} when this profile is unknown."""
        mine = self.known.features(profile_id)
        if mine is None:
            return {}
        found = self.known.candidates(mine, exclude=(profile_id,), of=profile_id)
        return {one.profile_id: self.found(one) for one in found}

    def smaller(self, profile_id: bytes) -> dict[bytes, PairEvidence]:
        """The candidates with a smaller id than this profile, at or above the link threshold."""
        like, upper = self.candidates_of(profile_id), self.model.upper
        return {one: f for one, f in like.items() if one < profile_id and f.weight >= upper}

    def alike(self, pair: Pair) -> bool:
        """Whether the pair reaches the link threshold; False when either profile is unknown."""
        one, other = map(self.known.features, pair)
        if one is None or other is None:
            return False
        return self.known.weight(one, other) >= self.model.upper

    def found(self, candidate: Candidate) -> PairEvidence:
        """The weight, and the levels as `field:level`, without fields that a profile lacks."""
        said = zip(self._levels, candidate.levels, strict=True)
        return PairEvidence(
            candidate.weight, tuple(names[level] for names, level in said if level >= 0)
        )

    def pair(self, pair: Pair) -> PairEvidence | None:
        """The comparison of two profiles, whatever its weight; None when either is unknown."""
        one, other = map(self.known.features, pair)
        if one is None or other is None:
            return None
        told = self.known.explain(one, other)
        levels = tuple(f"{each.field}:{each.level}" for each in told if each.level)
        return PairEvidence(self.known.weight(one, other), levels)

    def explained(self, mine: Features, other: bytes) -> list[dict[str, Any]]:
        """The weight of each field in bits, rounded; [] when the profile `other` is unknown.

        Unrounded they add up to the pair's weight. The entries `prior` and `household` are terms of
        the model instead of fields; their level is None.
        """
        theirs = self.known.features(other)
        if theirs is None:
            return []
        told = self.known.explain(mine, theirs)
        return [
            {"field": one.field, "level": one.level or None, "weight": round(one.weight, 3)}
            for one in told
        ]

    async def load(self, connection: Connection, keys: SubjectKeys) -> None:
        """Loads all stored features of the present format; skips profiles without a subject key."""
        after = bytes(16)
        while True:
            cursor = await connection.execute(STORED, [FORM, UUID(bytes=after), AT_ONCE])
            rows = await cursor.fetchall()
            if not rows:
                return
            opened = await keys.existing([row[0].bytes for row in rows])
            for start in range(0, len(rows), SLICE):
                for profile_id, records, at, hidden in rows[start : start + SLICE]:
                    key = opened.get(profile_id.bytes)
                    self.learn(
                        profile_id.bytes, unsealed(profile_id.bytes, records, key, hidden), at
                    )
                await asyncio.sleep(0)
            after = rows[-1][0].bytes


def features_of(person: Person | None) -> Features | None:
    """The features of a profile's data; None when `person` is None."""
    return None if person is None else features(person)


def sealed(
    profile_id: bytes, records: int, at: int, known: Features | None, key: bytes | None
) -> StoredFeatures:
    """Seals features for storage; the row holds None when the features or the key are missing."""
    hidden = None
    if known is not None and key is not None:
        hidden = seal(key, _nonce(records), FIELD, profile_id, known.packed().decode())
    return StoredFeatures(profile_id, records, at, hidden)


def unsealed(profile_id: bytes, records: int, key: bytes | None, hidden: bytes) -> Features | None:
    """The features in a stored row; None when the key is missing, or (logged) does not fit."""
    if key is None:
        return None
    try:
        text = unseal(key, _nonce(records), FIELD, profile_id, hidden)
    except Unsealable as error:
        log.error("features_unsealable", profile_id=profile_id.hex(), reason=str(error))
        return None
    return Features.unpacked(text.encode())


def _nonce(records: int) -> bytes:
    """The nonce: the number of log records read; it grows when the profile changes."""
    return records.to_bytes(16, "big")
