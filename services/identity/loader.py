"""Loads changed profiles into the index, and seals their features for storage."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from services.identity.changes import ChangedProfile
from services.identity.index import ProfileIndex, features_of, sealed
from services.identity.people import SLICE, People
from services.identity.store import StoredFeatures
from services.runtime.db import Connection
from services.runtime.keys import SubjectKeys


class Learning:
    """Updates the in-memory index from the member projection's current rows."""

    def __init__(self, keys: SubjectKeys) -> None:
        self._keys, self._people = keys, People(keys)

    async def learn(
        self,
        connection: Connection,
        everybody: ProfileIndex,
        fresh: Mapping[bytes, ChangedProfile],
        records: int,
    ) -> list[StoredFeatures]:
        """Reads these profiles into the index; returns their sealed features, to be stored.

        `records`: number of log records that the rows include, summed over the partitions.
        """
        kept: list[StoredFeatures] = []
        if not fresh:
            return kept
        people = await self._people.of(connection, fresh.keys())
        keys = await self._keys.existing([one for one in fresh if people[one] is not None])
        for number, (one, each) in enumerate(fresh.items()):
            features = features_of(people[one])
            everybody.learn(one, features, each.at)
            at = everybody.time_of(one)
            kept.append(sealed(one, records, at, features, keys.get(one)))
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        return kept
