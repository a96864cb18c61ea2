"""Stores a batch of the matcher in one transaction: features, links, cases, events and progress.

The shards' progress rows are locked first and must equal this process's progress: if another
process advanced a shard meanwhile, the whole batch is rolled back (fencing).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from schemas.generated.events import Event
from schemas.personal import NORMALISER_VERSION
from services.deciding import outbox
from services.identity import cases
from services.identity.matching.features import FORMAT
from services.identity.pairs import (
    Pair,
    PairEvidence,
    PairVerdict,
    RuleDecision,
    StaffDecision,
    judge,
)
from services.identity.shards import BEGINNING, SHARES, Positions, same, share_of
from services.identity.spanning_forest import SpanningLinks
from services.runtime.db import Connection
from services.runtime.rows import rows_of

FORM = f"{FORMAT}.{NORMALISER_VERSION}"
FEATURES = ""  # in place of a rules version: the rows that say how far features are stored
BEGIN = """
insert into hitotsu.match_progress (rule_version, form, share, positions)
select %s, %s, share, %s::bigint[] from unnest(%s::int[]) share on conflict do nothing
"""
WHERE = """
select share, positions from hitotsu.match_progress
where rule_version = %s and form = %s and share = any(%s::int[]) order by share
"""
MOVE = """
update hitotsu.match_progress set updated_at = clock_timestamp(), positions = (
    select array_agg(greatest(a, b) order by n)
    from unnest(positions, %s::bigint[]) with ordinality as x(a, b, n))
where rule_version = %s and form = %s and share = %s
"""
KEEP = """
insert into hitotsu.match_features (profile_id, form, "offset", at, features)
select * from unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::bytea[])
    as x(profile_id, form, "offset", at, features) order by profile_id
on conflict (profile_id) do update set form = excluded.form, "offset" = excluded."offset",
    at = excluded.at, features = excluded.features
"""
FORGET = "delete from hitotsu.match_features where profile_id = any(%s::uuid[])"
STANDING = """
select profile_id, other_profile_id, linked, decided_at, weight, evidence
from hitotsu.match_link where rule_version = %(version)s
    and (profile_id = any(%(who)s::uuid[]) or other_profile_id = any(%(who)s::uuid[]))
"""
ALL_STANDING = """
select profile_id, other_profile_id, linked, decided_at, weight, evidence
from hitotsu.match_link where rule_version = %s
"""
DECIDED = """
select * from hitotsu.match_decision
where profile_id = any(%(who)s::uuid[]) or other_profile_id = any(%(who)s::uuid[])
"""
LINK = """
insert into hitotsu.match_link (rule_version, profile_id, other_profile_id, linked, decided_at,
    weight, evidence)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (rule_version, profile_id, other_profile_id) do update set
    linked = excluded.linked, decided_at = excluded.decided_at, weight = excluded.weight,
    evidence = excluded.evidence
"""
DECIDE = """
insert into hitotsu.match_decision as d (profile_id, other_profile_id, decided_at, together,
    event_id, link_id, actor, reason)
values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict (profile_id, other_profile_id) do update set
    decided_at = excluded.decided_at, together = excluded.together, event_id = excluded.event_id,
    link_id = excluded.link_id, actor = excluded.actor, reason = excluded.reason
where (excluded.decided_at, excluded.together, excluded.event_id)
    > (d.decided_at, d.together, d.event_id)
"""


class ShardFenced(Exception):
    """Another process advanced one of the shards; the stored progress has to be read again."""


@dataclass(frozen=True, slots=True)
class StoredFeatures:
    """A profile's features to store; `sealed` None deletes them (erased profile, or no key).

    `records`: number of log records that they include. `at`: time of the profile's state in
    microseconds. The last write wins, since it was read from the projection last.
    """

    profile_id: bytes
    records: int
    at: int
    sealed: bytes | None


@dataclass(slots=True)
class ComparedBatch:
    """One batch of the matcher, to be stored.

    `triggered`: the compared profiles, each with the shards that compared it. `before`, `after`:
    progress of the comparison by shard. `kept`: progress of the stored features by shard.
    `greater`: similar profiles of greater id, which choose their links again, with shards.
    """

    version: str
    upper: float
    before: Mapping[int, Positions]
    after: Mapping[int, Positions]
    kept: Mapping[int, Positions]
    triggered: Mapping[bytes, Collection[int]]
    greater: Mapping[bytes, Collection[int]] = field(default_factory=dict)
    found: dict[Pair, PairEvidence] = field(default_factory=dict)
    features: list[StoredFeatures] = field(default_factory=list)
    decisions: list[StaffDecision] = field(default_factory=list)


async def progress(
    connection: Connection, version: str, shares: Collection[int]
) -> dict[int, Positions]:
    """The stored progress of these shards under a version of the rules; missing rows start at 0."""
    asked = sorted(shares)
    await connection.execute(BEGIN, [version, FORM, list(BEGINNING), asked])
    rows = await rows_of(connection, WHERE, [version, FORM, asked])
    return {row["share"]: tuple(row["positions"]) for row in rows}


class ProfileLookup(Protocol):
    """What the in-memory index answers while a batch is judged."""

    def time_of(self, profile_id: bytes) -> int:
        """The time of a profile's state in microseconds; 0 when the profile is unknown."""

    def smaller(self, profile_id: bytes) -> dict[bytes, PairEvidence]:
        """The candidates of smaller id at or above the link threshold."""

    def alike(self, pair: Pair) -> bool:
        """Whether the pair is at or above the link threshold."""


async def store(
    connection: Connection, batch: ComparedBatch, everybody: ProfileLookup
) -> list[PairVerdict]:
    """Judges the batch's pairs and stores the verdicts: links, cases, events, and progress.

    Raises `ShardFenced` when another process has advanced a shard; then nothing is stored.
    """
    async with connection.transaction():
        await fence(connection, batch.version, batch.before)
        await _decisions(connection, batch.decisions)
        judged = await _judged(connection, batch, everybody)
        await _links(connection, batch.version, judged)
        await cases.store_cases(connection, batch.version, judged)
        facts: list[Event] = [one.fact for one in judged.values() if one.fact is not None]
        await outbox.add(connection, facts)
        await _features(connection, batch.features)
        for share, at in batch.after.items():
            await connection.execute(MOVE, [list(at), batch.version, FORM, share])
        for share, at in batch.kept.items():
            await connection.execute(MOVE, [list(at), FEATURES, FORM, share])
    return list(judged.values())


async def fence(connection: Connection, version: str, before: Mapping[int, Positions]) -> None:
    """Locks the progress rows of these shards; raises `ShardFenced` when another process advanced
    one.
    """
    asked = [version, FORM, [*before]]
    rows = await rows_of(connection, WHERE + " for update", asked)
    now = {row["share"]: tuple(row["positions"]) for row in rows}
    if now.keys() != before.keys() or not all(same(now[one], before[one]) for one in now):
        raise ShardFenced


async def _judged(
    connection: Connection, batch: ComparedBatch, everybody: ProfileLookup
) -> dict[Pair, PairVerdict]:
    who = [UUID(bytes=one) for one in sorted(batch.triggered)]
    if not who:
        return {}
    standing = await _standing_of(connection, batch.version, who)
    choosing = _choosing(batch, standing)
    found, smaller = dict(batch.found), {one: everybody.smaller(one) for one in choosing}
    more = [UUID(bytes=one) for one in sorted(choosing.keys() - batch.triggered.keys())]
    if more:
        standing |= await _standing_of(connection, batch.version, more)
    linked = {pair for pair, stands in standing.items() if stands.linked}
    decisions = await _decisions_on(connection, batch.triggered.keys(), smaller)
    apart = {pair for pair, one in decisions.items() if not one.together}
    choice = SpanningLinks()
    for one, others in smaller.items():
        choice.add(one, others, everybody.alike, apart)
        found |= {(other, one): what for other, what in others.items()}
    opened = await cases.open_of(connection, batch.version, who)
    concerned = {
        pair
        for pair in (*found, *standing, *opened)
        if any(share_of(pair[0]) in batch.triggered.get(one, ()) for one in pair)
        # a profile that only chooses its links again was compared only at or above the threshold
        or (share_of(pair[0]) in choosing.get(pair[1], ()) and (pair in found or pair in linked))
    }
    return {
        pair: judge(
            pair, batch.version, batch.upper, found.get(pair), max(map(everybody.time_of, pair)),
            standing.get(pair), decisions.get(pair), pair in choice.linked, pair in choice.spared,
        )
        for pair in sorted(concerned)
    }  # fmt: skip


def _choosing(batch: ComparedBatch, standing: Mapping[Pair, RuleDecision]) -> dict[bytes, set[int]]:
    """The profiles that choose their links again, with their shards.

    They are the compared profiles, similar ones of greater id, and those that are linked with a
    compared profile: such a link ends when its evidence does.
    """
    found = {one: set(shares) for one, shares in batch.triggered.items()}
    for one, shares in batch.greater.items():
        found.setdefault(one, set()).update(shares)
    for pair, stands in standing.items():
        if stands.linked and pair[0] in batch.triggered:
            found.setdefault(pair[1], set()).update(batch.triggered[pair[0]])
    return found


async def _standing_of(
    connection: Connection, version: str, who: Sequence[UUID]
) -> dict[Pair, RuleDecision]:
    rows = await rows_of(connection, STANDING, {"version": version, "who": list(who)})
    return {_pair(row): _standing(row) for row in rows}


async def _decisions_on(
    connection: Connection, triggered: Collection[bytes], smaller: Mapping[bytes, Collection[bytes]]
) -> dict[Pair, StaffDecision]:
    """The staff decisions that concern a compared profile or a candidate for a link."""
    profiles = {*triggered, *smaller, *(one for others in smaller.values() for one in others)}
    asked = {"who": [UUID(bytes=one) for one in sorted(profiles)]}
    return {_pair(row): decision_of_row(row) for row in await rows_of(connection, DECIDED, asked)}


async def standing_of(connection: Connection, version: str) -> dict[Pair, RuleDecision]:
    """All decisions by rule under a version of the rules."""
    rows = await rows_of(connection, ALL_STANDING, [version])
    return {_pair(row): _standing(row) for row in rows}


async def adopt(
    connection: Connection,
    version: str,
    judged: Mapping[Pair, PairVerdict],
    decisions: Sequence[StaffDecision],
    positions: Positions,
) -> None:
    """Stores a replay's verdicts in one transaction, as if the matcher had made them.

    `positions`: the log position of the replay, which becomes the progress of every shard.
    """
    async with connection.transaction():
        await _decisions(connection, decisions)
        await _links(connection, version, judged)
        await cases.store_cases(connection, version, judged)
        await outbox.add(connection, [one.fact for one in judged.values() if one.fact])
        await progress(connection, version, range(SHARES))
        for share in range(SHARES):
            await connection.execute(MOVE, [list(positions), version, FORM, share])


async def _links(connection: Connection, version: str, judged: Mapping[Pair, PairVerdict]) -> None:
    rows = [
        (version, *map(_uuid, pair), one.link.linked, one.link.decided_at, one.link.weight,
         list(one.link.evidence))
        for pair, one in judged.items()
        if one.link is not None
    ]  # fmt: skip
    await _many(connection, LINK, rows)


async def _decisions(connection: Connection, decisions: Sequence[StaffDecision]) -> None:
    rows = [
        (*map(_uuid, one.pair), one.decided_at, one.together, _uuid(one.event_id),
         _uuid(one.link_id) if one.link_id else None, one.actor, one.reason)
        for one in sorted(decisions, key=lambda one: (one.pair, one.order))
    ]  # fmt: skip
    await _many(connection, DECIDE, rows)


async def decide(connection: Connection, decisions: Sequence[StaffDecision]) -> None:
    """Stores staff decisions in the caller's transaction, before the log contains their events."""
    await _decisions(connection, decisions)


async def _features(connection: Connection, kept: Sequence[StoredFeatures]) -> None:
    known = [one for one in kept if one.sealed is not None]
    if known:
        columns = zip(*((_uuid(k.profile_id), FORM, k.records, k.at, k.sealed) for k in known))
        await connection.execute(KEEP, [list(column) for column in columns])
    if len(known) < len(kept):
        gone = sorted(_uuid(one.profile_id) for one in kept if one.sealed is None)
        await connection.execute(FORGET, [gone])


async def _many(connection: Connection, statement: str, rows: Sequence[Any]) -> None:
    if rows:
        async with connection.cursor() as cursor:
            await cursor.executemany(statement.encode(), rows)


def _uuid(id16: bytes) -> UUID:
    return UUID(bytes=id16)


def _pair(row: Mapping[str, Any]) -> Pair:
    return (row["profile_id"].bytes, row["other_profile_id"].bytes)


def _standing(row: Mapping[str, Any]) -> RuleDecision:
    return RuleDecision(row["linked"], row["decided_at"], row["weight"], tuple(row["evidence"]))


def decision_of_row(row: Mapping[str, Any]) -> StaffDecision:
    """Converts a row of `hitotsu.match_decision` to a decision."""
    link_id = row["link_id"]
    return StaffDecision(
        _pair(row), row["decided_at"], row["together"], row["event_id"].bytes,
        link_id.bytes if link_id else None, row["actor"], row["reason"],
    )  # fmt: skip
