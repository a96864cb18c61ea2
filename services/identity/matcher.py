"""Compares profiles as they change, in rounds: reads the log, updates the index, compares, stores.

A batch of the log first updates the index. Then every changed profile is compared, for those shards
that have not processed its events. Then the results are stored together with the shards' progress,
in one transaction. After a crash before that, the same batch is read and compared again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence

from services.following.applied_log import AppliedBatch, AppliedLog
from services.following.background_task import BackgroundTask
from services.identity import cases, coverage, store
from services.identity.changes import ChangedProfile, changes_in
from services.identity.index import ProfileIndex, features_of
from services.identity.loader import Learning
from services.identity.matching.features import Person
from services.identity.membership import ConsumerMembership
from services.identity.pairs import Pair, PairEvidence, PairVerdict
from services.identity.people import SLICE
from services.identity.rules import MatchRulesFeed
from services.identity.shards import (
    SHARES,
    TOPIC,
    Shares,
    lowest,
    moved,
    offset_in,
    pair_of,
    share_of,
)
from services.identity.store import ComparedBatch, ShardFenced, StoredFeatures
from services.runtime.config import Settings
from services.runtime.db import Connection
from services.runtime.keys import SubjectKeys
from services.runtime.logging import log
from services.runtime.metrics import MATCH_KNOWN, MATCH_LAG, MATCH_LINKS, MATCH_PROFILES, MATCHED

OUTCOMES = ("linked", "unlinked")
LOOK_SECONDS, MEASURE_SECONDS, COUNT_SECONDS = 0.1, 10.0, 60.0
RECOUNT_SECONDS = 1.0  # while profiles are missing
AT_ONCE = 250  # records of a batch; profiles that were missing, compared in one transaction


class Matcher(BackgroundTask):
    """Compares the profiles of the shards that `membership` assigns to this process."""

    leader_only = False

    def __init__(
        self,
        settings: Settings,
        keys: SubjectKeys,
        membership: ConsumerMembership,
        kick: Callable[[], None],
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """`kick` is called when the outbox has events to send.

        `ready` returns False while the profile tables are being built.
        """
        super().__init__(settings.postgres, "identity-matcher", LOOK_SECONDS, settings.group, ready)
        self._group = settings.group
        self._log = AppliedLog(settings.kafka, settings.group, [TOPIC], AT_ONCE)
        self._rules = MatchRulesFeed(settings.kafka, settings.group)
        self._keys, self._learning = keys, Learning(keys)
        self._membership, self._kick = membership, kick
        self._shares = Shares(lowest([]))
        self._caught_up = False
        self._measured, self._counted = 0.0, -math.inf
        for outcome in OUTCOMES:
            MATCH_LINKS.labels(outcome)
        self.idle = False
        self.everybody: ProfileIndex | None = None
        self._late: list[bytes] = []
        self._late_shares: set[int] = set()
        self.profiles: int | None = None
        """How many profiles the projection held at the last count; None before the first."""

    @property
    def ready(self) -> ProfileIndex | None:
        """The index while it holds all profiles that the projection holds; None while it does not,
        and while no match rules are in force.
        """
        return self.everybody if self._caught_up else None

    async def stop(self) -> None:
        await super().stop()
        await self._close()

    async def _close(self) -> None:
        await self._log.close()
        await self._rules.close()

    def reset(self) -> None:
        """Drops the held shards and the rules' cursor, so that Postgres is asked for them again.

        Another process may have advanced them.
        """
        self._shares.take({})
        self._rules.reset()

    async def round(self, connection: Connection) -> bool:
        """Processes one batch of the log; returns whether there may be more to read.

        When another process has advanced a held shard, nothing is stored, and the next round reads
        the stored progress again.
        """
        try:
            return await self._round(connection)
        except ShardFenced:
            log.info("progress_moved_by_another_process", task=self.name)
            self._shares.take({})
            return True

    async def _round(self, connection: Connection) -> bool:
        """Like `round`, but raises `ShardFenced` when another process has advanced a held shard."""
        everybody = await self._everybody(connection)
        if everybody is None:
            return False
        await self._hold(connection, everybody.version)
        ends = await self._log.ends(connection)
        start = self._shares.reading
        at = {place: offset_in(start, place[1]) for place in ends}
        MATCH_LAG.set(sum(max(0, end - at[place]) for place, end in ends.items()))
        batch = await self._log.read(connection, at, ends)
        if not batch.ends:
            await self._measure(connection, everybody.version)
            await self._count(connection, everybody)
            return False
        await self._take(connection, everybody, batch)
        return True

    async def _measure(self, connection: Connection, version: str) -> None:
        """Updates the metrics of open cases, at most every ten seconds."""
        now = time.monotonic()
        if now >= self._measured + MEASURE_SECONDS:
            self._measured = now
            await cases.measure(connection, version)

    async def _count(self, connection: Connection, everybody: ProfileIndex) -> None:
        """Counts the profiles of the projection: at most every second until the index is complete,
        then every 60 seconds, or every 10 while the numbers differ.

        If the index has the same number, `ready` returns it from now on; otherwise the missing
        profiles are loaded.
        """
        await self._compare_late(connection, everybody)
        now = time.monotonic()
        pause = RECOUNT_SECONDS
        if self._caught_up:
            pause = COUNT_SECONDS if len(everybody) == self.profiles else MEASURE_SECONDS
        if now < self._counted + pause:
            return
        profiles = await coverage.comparable(connection, self._group, self._shares.known)
        if profiles is None:
            return  # the projection has applied more records meanwhile: count again later
        self._counted, self.profiles = now, profiles
        MATCH_PROFILES.set(profiles)
        MATCH_KNOWN.set(len(everybody))
        if len(everybody) == profiles:
            self._caught_up = True
        else:
            await self._complete(connection, everybody)

    async def _complete(self, connection: Connection, everybody: ProfileIndex) -> None:
        """Loads the profiles that memory lacks, and removes those that it should not hold.

        The loaded ones are compared later (`_compare_late`), although the stored progress says that
        they have been.
        """
        found = await coverage.difference(connection, everybody)
        log.warning(
            "profiles_not_known", missing=len(found.missing), surplus=len(found.surplus),
            known=len(everybody), profiles=self.profiles,
        )  # fmt: skip
        for one in found.surplus:  # erased; the event of it has not been read yet
            everybody.learn(one, None, 0)
        self._caught_up = not found.missing
        for part in _parts(found.missing):
            await self._learn(connection, everybody, part)
        self._late, self._late_shares = [*self._late, *found.missing], set()

    async def _compare_late(self, connection: Connection, everybody: ProfileIndex) -> None:
        """Compares the profiles that were missing, and stores the results and their features.

        Each shard of this process does so once. Other shards are left out: the process that holds
        them finds the missing profiles itself.
        """
        working = self._shares.working
        fresh = {share: at for share, at in working.items() if share not in self._late_shares}
        if not (self._late and fresh):
            return
        for part in _parts(self._late):
            triggered = dict.fromkeys(part, frozenset(fresh))
            features = await self._learn(connection, everybody, part)
            batch = ComparedBatch(
                everybody.version, everybody.model.upper, fresh, fresh, {}, triggered,
                *await _compared(everybody, triggered),
                features=[one for one in features if share_of(one.profile_id) in fresh],
            )  # fmt: skip
            self._told(await store.store(connection, batch, everybody))
        self._late_shares |= fresh.keys()

    async def _learn(
        self, connection: Connection, everybody: ProfileIndex, profiles: Sequence[bytes]
    ) -> list[StoredFeatures]:
        touched = await coverage.as_changed(connection, profiles)
        records = sum(self._shares.known)
        return await self._learning.learn(connection, everybody, touched, records)

    async def _everybody(self, connection: Connection) -> ProfileIndex | None:
        """The index under the match rules in force, loaded again when they change.

        None when no rules by which profiles can be compared are in force.
        """
        active = await self._rules.in_force(connection)
        now = self.everybody
        self.idle = active is None
        if active is not None and now is not None and now.version == active.version:
            return now
        self._caught_up, self.everybody, self.profiles = False, None, None
        self._late = []
        self._counted = -math.inf  # count now: the monotonic clock may have started a moment ago
        MATCH_PROFILES.set(math.nan)
        if active is None:
            return None
        everybody = ProfileIndex(active.version, active.model)
        # reading the gazetteer takes seconds: do it in a thread, before the first search needs it
        await asyncio.to_thread(features_of, Person(address="東京都", postcode="1000001"))
        async with connection.transaction():
            await connection.execute("set transaction isolation level repeatable read")
            stored = await store.progress(connection, store.FEATURES, range(SHARES))
            await everybody.load(connection, self._keys)
        self._shares = Shares(lowest(list(stored.values())))
        self.everybody = everybody
        MATCH_KNOWN.set(len(everybody))
        log.info("rules_in_force", version=active.version, profiles=len(everybody))
        return everybody

    async def _hold(self, connection: Connection, version: str) -> None:
        """Holds the shards that are assigned now; new ones begin at their stored progress."""
        given = self._membership.shares
        if given != self._shares.held.keys():
            new = given - self._shares.held.keys()
            compared, kept = (
                {s: at for s, at in before.items() if s in given}
                for before in (self._shares.held, self._shares.kept)
            )
            if new:
                compared |= await store.progress(connection, version, new)
                kept |= await store.progress(connection, store.FEATURES, new)
            self._shares.take(compared, kept)

    async def _take(
        self, connection: Connection, everybody: ProfileIndex, read: AppliedBatch
    ) -> None:
        seen, ends = changes_in(read.events), read.ends_of(TOPIC)
        fresh = {
            one: each
            for one, each in seen.profiles.items()
            if self._news(each)
            or self._shares.unkept(one, each.places)
            or self._shares.triggered(each.places)
        }
        triggered = {
            one: shares
            for one, each in seen.profiles.items()
            if (shares := self._shares.triggered(each.places))
        }
        # before memory moves on: a shard that memory reaches now begins with the next batch
        before, after = self._shares.working, self._shares.after(ends)
        kept = self._shares.keeping(ends)
        records = sum(moved(self._shares.known, ends))
        features = await self._learning.learn(connection, everybody, fresh, records)
        self._shares.read(ends)
        for one, shares in list(triggered.items()):
            for other in everybody.known.displaced_by(one):
                triggered[other] = triggered.get(other, frozenset()) | shares
        batch = ComparedBatch(
            everybody.version, everybody.model.upper, before, after, kept, triggered,
            *await _compared(everybody, triggered),
            features=[one for one in features if share_of(one.profile_id) in kept],
            decisions=[one for one in seen.decisions if share_of(one.pair[0]) in before],
        )  # fmt: skip
        judged = await store.store(connection, batch, everybody) if kept else []
        self._shares.held.update(after)
        self._shares.kept.update(kept)
        MATCHED.inc(len(triggered))
        MATCH_KNOWN.set(len(everybody))
        self._told(judged)

    def _told(self, judged: Sequence[PairVerdict]) -> None:
        for one in judged:
            if one.fact is not None:
                MATCH_LINKS.labels(OUTCOMES[not (one.link and one.link.linked)]).inc()
        if any(one.fact is not None for one in judged):
            self._kick()

    def _news(self, each: ChangedProfile) -> bool:
        known = self._shares.known
        return any(offset_in(known, number) <= offset for number, offset in each.places)


def _parts(profiles: list[bytes]) -> list[list[bytes]]:
    return [profiles[at : at + AT_ONCE] for at in range(0, len(profiles), AT_ONCE)]


async def _compared(
    everybody: ProfileIndex, triggered: dict[bytes, frozenset[int]]
) -> tuple[dict[bytes, set[int]], dict[Pair, PairEvidence]]:
    """Compares the profiles in `triggered` (with the shards that have not processed them yet).

    Returns the similar profiles of greater id, which choose their links again, with those shards;
    and the evidence of all pairs that belong to those shards.
    """
    greater: dict[bytes, set[int]] = {}
    found: dict[Pair, PairEvidence] = {}
    for number, (one, shares) in enumerate(triggered.items()):
        for other, what in everybody.candidates_of(one).items():
            pair = pair_of(one, other)
            if share_of(pair[0]) in shares:
                found[pair] = what
            if other > one and what.weight >= everybody.model.upper:
                greater.setdefault(other, set()).update(shares)
        if number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    return greater, found
