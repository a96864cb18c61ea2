"""The in-memory candidate index: which known profiles may be this person?

The result depends on the model and the set of profiles, never on the order of insertion. A million
profiles take about 2 GiB. Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from heapq import nsmallest
from typing import NamedTuple

from services.identity.matching import blocking_keys
from services.identity.matching.comparisons import compare
from services.identity.matching.features import Features
from services.identity.matching.model import MatchModel
from services.identity.matching.weights import FieldEvidence, Weights

CROWD = 150
"""A key that more profiles share is common. The estimation uses a lower limit, because profiles are
added after it."""
FIRST = 3


class Candidate(NamedTuple):
    """A profile that may be the same person; `levels`: one per comparison, -1 where unknown."""

    profile_id: bytes
    weight: float
    levels: tuple[int, ...]


class CandidateIndex:
    """All profiles in memory, indexed by their blocking keys."""

    def __init__(self, model: MatchModel) -> None:
        self.model = model
        self._weights = Weights(model)
        self._kinds = model.kinds
        self._keys = blocking_keys.keys_of(model.salt, model.blocking.keys)
        self._crowded = {int(one, 16) for one in model.blocking.crowded}
        self._people: list[Features | None] = []
        self._ids: list[bytes] = []
        self._places: dict[bytes, int] = {}
        self._free: list[int] = []
        self._sharing: dict[int, int | list[int]] = {}
        """The profile that has a key, or the list of them; most keys belong to one profile."""
        self._first: dict[int, tuple[int, ...]] = {}
        """Of common keys: the few profiles of smallest id, with which all others are compared."""
        self._last: tuple[Features | None, set[int]] = (None, set())

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, profile_id: bytes) -> bool:
        return profile_id in self._places

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._places)

    def features(self, profile_id: bytes) -> Features | None:
        """The profile's features; None when unknown."""
        place = self._places.get(profile_id)
        return None if place is None else self._people[place]

    def learn(self, profile_id: bytes, features: Features) -> None:
        """Inserts a profile, or replaces its features."""
        if profile_id in self._places:
            self.forget(profile_id)
        if self._free:
            place = self._free.pop()
            self._people[place], self._ids[place] = features, profile_id
        else:
            place = len(self._people)
            self._people.append(features)
            self._ids.append(profile_id)
        self._places[profile_id] = place
        sharing = self._sharing
        for key in self._keys_of(features):
            self._first.pop(key, None)
            there = sharing.setdefault(key, place)
            if there is place:
                continue
            if isinstance(there, list):
                there.append(place)
            else:
                sharing[key] = [there, place]

    def forget(self, profile_id: bytes) -> None:
        """Removes a profile; does nothing when it is unknown."""
        place = self._places.pop(profile_id, None)
        if place is None:
            return
        features = self._people[place]
        assert features is not None
        for key in self._keys_of(features):
            self._first.pop(key, None)
            there = self._sharing[key]
            if not isinstance(there, list):
                del self._sharing[key]
                continue
            there.remove(place)
            if len(there) == 1:
                self._sharing[key] = there[0]
        self._people[place] = None
        self._ids[place] = b""
        self._free.append(place)

    def candidates(
        self, features: Features, exclude: Container[bytes] = (), of: bytes | None = None
    ) -> list[Candidate]:
        """All candidates at or above the model's lower threshold, by descending weight, then by id.

        `of`: the id of the known profile that has these features; None for a search, which compares
        with all profiles that share a key. With `of`, if more than `CROWD` profiles share a key,
        only pairs with the few smallest ids among them are compared. So the number of pairs grows
        linearly, even for keys that became common after the model was estimated.
        """
        found = []
        lower = self.model.lower
        places = self._compared_with(features) if of is None else self._few(features, of)
        for place in places:
            profile_id = self._ids[place]
            if profile_id in exclude:
                continue
            other = self._people[place]
            assert other is not None
            compared = compare(features, other, self._kinds)
            weight = self._weights.at_least(compared, lower)
            if weight is not None:
                found.append(Candidate(profile_id, weight, compared.levels))
        return sorted(found, key=lambda one: (-one.weight, one.profile_id))

    def weight(self, one: Features, other: Features) -> float:
        """The weight of two profiles, exactly the float that `candidates` gives.

        The sum of `explain` may differ by rounding, which is enough to cross a threshold.
        """
        return self._weights.weight(compare(one, other, self._kinds))

    def explain(self, one: Features, other: Features) -> tuple[FieldEvidence, ...]:
        """The weight of each field of two profiles; they add up to the pair's weight."""
        return self._weights.evidence(compare(one, other, self._kinds))

    def _keys_of(self, features: Features) -> set[int]:
        """The blocking keys without those that are too common in the model.

        The last result is cached, because a profile that is searched is usually inserted next.
        """
        if features is not self._last[0]:
            self._last = features, self._keys(features) - self._crowded
        return self._last[1]

    def displaced_by(self, profile_id: bytes) -> set[bytes]:
        """For each common key that has this profile among its `FIRST` smallest ids: the profile
        with the next id, which would be among them if this profile were not there.
        """
        mine, found = self._places.get(profile_id), set[bytes]()
        features = None if mine is None else self._people[mine]
        for key in () if features is None else self._keys_of(features):
            first = self._first_of(key)
            if first is not None and mine in first[:FIRST]:
                found.add(self._ids[first[FIRST]])
        return found

    def _first_of(self, key: int) -> tuple[int, ...] | None:
        """Places in `_ids` of a common key's `FIRST` smallest ids, and of the next one.

        None when the key is not common.
        """
        there = self._sharing.get(key)
        if not isinstance(there, list) or len(there) <= CROWD:
            return None
        first = self._first.get(key)
        if first is None:
            first = tuple(nsmallest(FIRST + 1, there, key=self._ids.__getitem__))
            self._first[key] = first
        return first

    def _few(self, features: Features, profile_id: bytes) -> set[int]:
        mine, found = self._places.get(profile_id), set[int]()
        for key in self._keys_of(features):
            first = self._first_of(key)
            there = self._sharing.get(key)
            if first is not None and mine not in first[:FIRST]:
                found.update(first[:FIRST])
            elif isinstance(there, list):
                found.update(there)
            elif there is not None:
                found.add(there)
        return found

    def _compared_with(self, features: Features) -> set[int]:
        found: set[int] = set()
        sharing = self._sharing
        for key in self._keys_of(features):
            there = sharing.get(key)
            if there is None:
                continue
            if isinstance(there, list):
                found.update(there)
            else:
                found.add(there)
        return found
