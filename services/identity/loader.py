"""How does memory come to know what was read? Opened, normalised, learned, sealed to be kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from services.identity.changes import Touched
from services.identity.index import Everybody, features_of, sealed
from services.identity.people import SLICE, People
from services.identity.store import StoredFeatures
from services.runtime.db import Connection
from services.runtime.keys import SubjectKeys


class Learning:
    """Teaches everybody's memory what the projection holds of profiles now."""

    def __init__(self, keys: SubjectKeys) -> None:
        self._keys, self._people = keys, People(keys)

    async def learn(
        self,
        connection: Connection,
        everybody: Everybody,
        fresh: Mapping[bytes, Touched],
        records: int,
    ) -> list[StoredFeatures]:
        """The rows to be stored of these profiles; `records` of the log are known with them."""
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
