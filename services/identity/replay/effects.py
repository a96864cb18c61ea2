"""What other match rules would do to customers: balances and suppressions of changed members.

It runs the projections' own queries, for members as they are and as they would be.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from projections import discover
from projections.core import Subject
from projections.point_balance.queries import points_of
from projections.purchase_suppression.queries import suppressions_of
from services.http.caller import Caller
from services.identity.replay.difference import Part
from services.identity.replay.moment import ids
from services.reading.catalog import Catalog
from services.reading.database import ReadSnapshot
from services.reading.held_amounts import HeldAmountsReader
from services.reading.personal import PersonalValues
from services.reading.reader import RequestReads
from services.runtime.build_state import Builds
from services.runtime.config import Settings
from services.runtime.db import Pool
from services.runtime.keys import SubjectKeys


@dataclass(frozen=True, slots=True)
class CustomerEffects:
    """The effect on a group of profiles: point balances by member id, and suppressed items."""

    profiles: Part
    points_before: dict[UUID, int]
    points_after: dict[UUID, int]
    suppressed: tuple[tuple[UUID, str], ...]
    """(profile, item) pairs that would become suppressed for the profile's member."""
    released: tuple[tuple[UUID, str], ...]
    """(profile, item) pairs that would no longer be suppressed."""


@dataclass(frozen=True, slots=True)
class _Holding:
    points: dict[UUID, int]
    unwelcome: dict[bytes, frozenset[str]]


class SnapshotAnswers:
    """Runs the read API's queries in one Postgres snapshot, without Redis; holds are read apart."""

    def __init__(self, settings: Settings, pool: Pool, keys: SubjectKeys, at: datetime) -> None:
        self._catalog = Catalog(discover(), settings.group, settings.of_queries)
        self._snapshot = ReadSnapshot(pool, self._catalog.groups)
        caller = Caller("replay", frozenset())
        self._at = at
        self._read = RequestReads(
            catalog=self._catalog, views=None, snapshot=self._snapshot,
            held_amounts=HeldAmountsReader(pool), clear=PersonalValues(keys, caller), caller=caller,
            blind_key=settings.blind_index_key, wanted={}, builds=Builds({}),
        )  # fmt: skip

    def close(self) -> None:
        """Ends the snapshot."""
        self._snapshot.close()

    async def moves(
        self, profiles: Part, before: Collection[Part], after: Collection[Part]
    ) -> CustomerEffects:
        """The effect on `profiles`, whose members are `before` now and would be `after`."""
        old, new = await self._held(before), await self._held(after)
        return CustomerEffects(
            profiles, old.points, new.points,
            _gained(profiles, old, new), _gained(profiles, new, old),
        )  # fmt: skip

    async def _held(self, members: Collection[Part]) -> _Holding:
        points: dict[UUID, int] = {}
        unwelcome: dict[bytes, frozenset[str]] = {}
        for part in members:
            profile_ids = ids(part)
            member = Subject(profile_ids[0], tuple(profile_ids))
            points[profile_ids[0]] = (await points_of(self._read, member, self._at)).balance
            dropped = await suppressions_of(self._read, member, self._at)
            items = frozenset(one.sku for one in dropped)
            unwelcome |= dict.fromkeys(part, items)
        return _Holding(points, unwelcome)


def _gained(profiles: Part, old: _Holding, new: _Holding) -> tuple[tuple[UUID, str], ...]:
    return tuple(
        (UUID(bytes=profile), item)
        for profile in sorted(profiles)
        for item in sorted(new.unwelcome[profile] - old.unwelcome[profile])
    )
