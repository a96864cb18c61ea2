"""Runs a replay: reads all profiles, groups them under other rules, and compares both groupings.
If requested, it switches to these rules.

Switching first appends the links of the new rules and waits until they are applied. They have no
effect yet, because only links of the active rules count. Then one event activates the rules: the
projector regroups all profiles in the transaction that applies it, and the matcher continues from
the replay's position.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from psycopg import AsyncConnection

from projections.core.instants import micros
from projections.member.rules import RULE_SET, MatchRules
from schemas.generated.events import MatchRulesActivated, Meta, Producer
from schemas.wire import codec
from schemas.wire.bounds import BODY_MAX
from services.deciding import outbox
from services.deciding.outbox import OutboxRelay
from services.identity import store
from services.identity.pairs import SYSTEM
from services.identity.replay.difference import GroupingDifference, difference
from services.identity.replay.effects import CustomerEffects, SnapshotAnswers
from services.identity.replay.moment import Moment, Moved, grouped, moment
from services.identity.replay.shadow import ReplayShadow, shadow_of
from services.runtime.config import Settings
from services.runtime.db import Connection, conninfo, pool
from services.runtime.keys import SubjectKeys
from services.runtime.producer import Producer as KafkaProducer

STORED = "select record_value from hitotsu.outbox where topic = %s order by id desc"
APPLIED = "select count(*) from ledger where event_id = any(%s::uuid[])"
PATIENCE_SECONDS = 120.0
AT_ONCE = 10_000
ROOM = 4_096  # of an event, for everything but the rules' text


class CannotReplay(Exception):
    """The rules cannot be replayed or activated; the text says why."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a replay; `switched`: whether the rules were activated."""

    version: str
    positions: tuple[int, ...]
    profiles: int
    links: int
    cases: int
    difference: GroupingDifference
    moves: tuple[CustomerEffects, ...]
    switched: bool


async def replay(settings: Settings, rules: MatchRules, switch: bool, moved: Moved) -> Replayed:
    """Replays all profiles under `rules`, and activates them if `switch`.

    Raises `CannotReplay` (too large, activated before, no valid model, not applied in time), or the
    error of the Postgres or Kafka client when a server is away.
    """
    check_size(rules)
    postgres = pool(settings.postgres, group=settings.group, name="replay", timeout=5.0)
    await postgres.open(wait=True)
    try:
        keys = SubjectKeys(postgres, settings.key_encryption_key)
        where = conninfo(settings.postgres, group=settings.group, name="replay")
        async with await AsyncConnection.connect(where, autocommit=True) as connection:
            now = await moment(connection, keys, settings.group, moved)
            if any(version == rules.version for _, version, _ in now.rules):
                raise CannotReplay(f"version: {rules.version!r} was activated before")
            standing = await store.standing_of(connection, rules.version)
            try:
                shadow = await asyncio.to_thread(shadow_of, now, rules, standing, moved)
            except ValueError as error:
                raise CannotReplay(str(error)) from None
            after = grouped(shadow.groups)
            found = difference(now.members, after, shadow.links, now.identifiers)
            asking = SnapshotAnswers(settings, postgres, keys, datetime.now(UTC))
            try:
                moves = [
                    await asking.moves(
                        part, {now.members[one] for one in part}, {after[one] for one in part}
                    )
                    for part in found.touched
                ]
            finally:
                asking.close()
            if switch:
                await _switch(settings, connection, now, rules, shadow)
    finally:
        await postgres.close()
    cases = sum(one.case is not None for one in shadow.judged.values())
    return Replayed(
        rules.version, now.positions, len(now.features), len(shadow.links), cases, found,
        tuple(moves), switch,
    )  # fmt: skip


def check_size(rules: MatchRules) -> None:
    """Raises `CannotReplay` when the rules are too large for an event."""
    size = len(rules.text().encode())
    if size > BODY_MAX - ROOM:
        raise CannotReplay(f"rules: {size} bytes are more than the {BODY_MAX - ROOM} of an event")


async def _switch(
    settings: Settings, connection: Connection, now: Moment, rules: MatchRules, shadow: ReplayShadow
) -> None:
    decisions = list(now.decisions.values())
    await store.adopt(connection, rules.version, shadow.judged, decisions, now.positions)
    facts = [one.fact for one in shadow.judged.values() if one.fact is not None]
    await _applied(settings, connection, [UUID(bytes=fact.meta.event_id) for fact in facts])
    activation = await _on_its_way(connection, rules)
    if activation is None:
        activation = _activation(now, rules)
        async with connection.transaction():
            await outbox.add(connection, [activation])
    await _applied(settings, connection, [UUID(bytes=activation.meta.event_id)])


async def _on_its_way(connection: Connection, rules: MatchRules) -> MatchRulesActivated | None:
    """The activation of these rules that an earlier run stored, and that is not applied yet.

    Raises `CannotReplay` if other rules of the same version are on their way.
    """
    cursor = await connection.execute(STORED, [MatchRulesActivated.TOPIC])
    for (value,) in await cursor.fetchall():
        event = codec.decode(value)
        if isinstance(event, MatchRulesActivated) and event.version == rules.version:
            if event.rules != rules.text():
                raise CannotReplay(
                    f"version: other rules of the version {rules.version!r} are being activated"
                )
            return event
    return None


def _activation(now: Moment, rules: MatchRules) -> MatchRulesActivated:
    at = micros(datetime.now(UTC))
    valid_from = max([at, *(begins + 1 for begins, _, _ in now.rules)])
    meta = Meta(
        event_id=uuid4().bytes,
        occurred_at=at,
        producer=Producer(system=SYSTEM, channel="HEAD_OFFICE"),
    )
    return MatchRulesActivated(
        meta=meta,
        rule_set=RULE_SET,
        version=rules.version,
        rules=rules.text(),
        valid_from=valid_from,
    )


async def _applied(settings: Settings, connection: Connection, events: list[UUID]) -> None:
    """Sends the events in the outbox and waits until the projector has applied these.

    Raises `CannotReplay` after 120 seconds.
    """
    producer = KafkaProducer(settings.kafka, client_id="replay")
    relay = OutboxRelay(settings.postgres, producer)
    await producer.start()
    await relay.start()
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        for start in range(0, len(events), AT_ONCE):
            part = events[start : start + AT_ONCE]
            while True:
                row = await (await connection.execute(APPLIED, [part])).fetchone()
                if row is not None and row[0] == len(part):
                    break
                if time.monotonic() > deadline:
                    raise CannotReplay(
                        "the events are in the outbox, but the projector has not applied them in"
                        f" {PATIENCE_SECONDS:.0f} s: check that it runs, then run the replay again"
                        " (nothing is stored twice)"
                    )
                await asyncio.sleep(0.2)
    finally:
        await relay.stop()
        await producer.stop()
