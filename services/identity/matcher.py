"""How are profiles compared as they arrive? Read on, learn, compare, keep; again and again.

What is read changes memory first; then every touched profile is compared for the shares that have
not seen it; then all that follows is stored with the progress of these shares. Whatever ends in
between leaves progress where it was, and the same stretch is read and compared again.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable

import psycopg
from aiokafka.errors import KafkaError

from services.deciding.answers import Connection
from services.deciding.decider import PASSING
from services.identity import casebook, store
from services.identity.everybody import Everybody, features_of
from services.identity.learning import Learning
from services.identity.log import AppliedLog, Stretch, offset_in
from services.identity.matching.features import Person
from services.identity.membership import Membership
from services.identity.pairs import Found, Pair
from services.identity.people import SLICE
from services.identity.rules import Rules
from services.identity.shares import SHARES, TOPIC, Shares, lowest, moved, pair_of, share_of
from services.identity.store import Compared, Fenced
from services.identity.touched import Touched, touched
from services.runtime.config import Settings
from services.runtime.keys import SubjectKeys
from services.runtime.logging import log
from services.runtime.metrics import MATCH_KNOWN, MATCH_LAG, MATCH_LINKS, MATCHED
from services.runtime.worker import Worker

OUTCOMES = ("linked", "unlinked")
LOOK_SECONDS, AWAY_SECONDS, MEASURE_SECONDS = 0.1, 1.0, 10.0


class Matcher(Worker):
    """Compares the profiles of the shares that `membership` gives this process."""

    def __init__(
        self,
        settings: Settings,
        keys: SubjectKeys,
        membership: Membership,
        kick: Callable[[], None],
    ) -> None:
        """`kick` is called when there are facts to send."""
        super().__init__(settings.postgres, "identity-matcher", AWAY_SECONDS, settings.group)
        self._log = AppliedLog(settings.kafka, settings.group, TOPIC)
        self._rules = Rules(settings.kafka, settings.group)
        self._keys, self._learning = keys, Learning(keys)
        self._membership, self._kick = membership, kick
        self._shares = Shares(lowest([]))
        self._caught_up = False
        self._measured = 0.0
        for outcome in OUTCOMES:
            MATCH_LINKS.labels(outcome)
        self.idle = False
        self.everybody: Everybody | None = None

    @property
    def ready(self) -> Everybody | None:
        """Everybody, once all are known that were when it began; None before, and without rules."""
        return self.everybody if self._caught_up else None

    async def stop(self) -> None:
        await super().stop()
        await self._close()

    async def _close(self) -> None:
        await self._log.close()
        await self._rules.close()

    async def turn(self, connection: Connection) -> None:
        self._shares.take({})  # whoever had it meanwhile has moved its progress
        while True:
            try:
                more = await self._round(connection)
            except Fenced:
                log.info("another process has gone on; progress is read again")
                self._shares.take({})
                continue
            except PASSING as error:
                log.warning("tried again", work=self.name, error=type(error).__name__)
                more = False
            except KafkaError as error:
                log.warning("waits for kafka", work=self.name, error=type(error).__name__)
                await self._close()
                more = False
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError):
                raise
            except Exception as error:  # shares stay where they are and are tried again
                place = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{place.name}:{place.lineno}"
                log.error("failed", work=self.name, error=type(error).__name__, where=where)
                self._shares.take({})
                more = False
            if not more:
                await asyncio.sleep(LOOK_SECONDS)

    async def _round(self, connection: Connection) -> bool:
        """One stretch of the log; whether there may be more."""
        everybody = await self._everybody(connection)
        if everybody is None:
            return False
        await self._hold(connection, everybody.version)
        ends = await self._log.ends(connection)
        start = self._shares.reading
        MATCH_LAG.set(sum(max(0, end - offset_in(start, n)) for n, end in ends.items()))
        stretch = await self._log.read(connection, start, ends)
        if not stretch.ends:
            await self._measure(connection, everybody.version)
            self._caught_up = self._caught_up or all(
                offset_in(self._shares.known, n) >= end for n, end in ends.items()
            )
            return False
        await self._take(connection, everybody, stretch)
        return True

    async def _measure(self, connection: Connection, version: str) -> None:
        """Now and then, while there is nothing else to do."""
        now = time.monotonic()
        if now >= self._measured + MEASURE_SECONDS:
            self._measured = now
            await casebook.measure(connection, version)

    async def _everybody(self, connection: Connection) -> Everybody | None:
        """Everybody under the rules that are active now; loaded when those are others."""
        active = await self._rules.in_force(connection)
        now = self.everybody
        self.idle = active is None
        if active is not None and now is not None and now.version == active.version:
            return now
        self._caught_up, self.everybody = False, None
        if active is None:
            return None
        everybody = Everybody(active.version, active.model)
        # the gazetteer takes seconds to read, and nobody who searches should wait for it
        await asyncio.to_thread(features_of, Person(address="東京都", postcode="1000001"))
        async with connection.transaction():
            await connection.execute("set transaction isolation level repeatable read")
            stored = await store.progress(connection, store.FEATURES, range(SHARES))
            await everybody.load(connection, self._keys)
        self._shares = Shares(lowest(list(stored.values())))
        self.everybody = everybody
        log.info("rules in force", version=active.version, profiles=len(everybody))
        return everybody

    async def _hold(self, connection: Connection, version: str) -> None:
        """Holds what Kafka gave, from where it was left."""
        given = self._membership.shares
        if given != self._shares.held.keys():
            new = given - self._shares.held.keys()
            stored = await store.progress(connection, version, new) if new else {}
            kept = {s: at for s, at in self._shares.held.items() if s in given}
            self._shares.take({**kept, **stored})

    async def _take(self, connection: Connection, everybody: Everybody, stretch: Stretch) -> None:
        seen = touched(stretch.events)
        fresh = {
            one: each
            for one, each in seen.profiles.items()
            if self._news(each) or self._shares.triggered(each.places)
        }
        triggered = {
            one: shares
            for one, each in seen.profiles.items()
            if (shares := self._shares.triggered(each.places))
        }
        # before more is known: a share that can work from now on begins with the next stretch
        before, after = self._shares.working, self._shares.after(stretch.ends)
        records = sum(moved(self._shares.known, stretch.ends))
        features = await self._learning.learn(connection, everybody, fresh, records)
        self._shares.read(stretch.ends)
        batch = Compared(
            everybody.version, everybody.model.upper, before, after, triggered,
            found=await _compared(everybody, triggered),
            features=[one for one in features if share_of(one.profile_id) in before],
            decisions=[one for one in seen.decisions if share_of(one.pair[0]) in before],
        )  # fmt: skip
        judged = await store.store(connection, batch, everybody.time_of) if before else []
        self._shares.held.update(after)
        MATCHED.inc(len(triggered))
        MATCH_KNOWN.set(len(everybody))
        for one in judged:
            if one.fact is not None:
                MATCH_LINKS.labels(OUTCOMES[not (one.link and one.link.linked)]).inc()
        if any(one.fact is not None for one in judged):
            self._kick()

    def _news(self, each: Touched) -> bool:
        known = self._shares.known
        return any(offset_in(known, number) <= offset for number, offset in each.places)


async def _compared(
    everybody: Everybody, triggered: dict[bytes, frozenset[int]]
) -> dict[Pair, Found]:
    """Pairs of these profiles, of the shares that each of them is new to."""
    found: dict[Pair, Found] = {}
    for number, (one, shares) in enumerate(triggered.items()):
        for other, what in everybody.like(one).items():
            pair = pair_of(one, other)
            if share_of(pair[0]) in shares:
                found[pair] = what
        if number % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    return found
