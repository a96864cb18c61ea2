"""Reads all profiles in one Postgres snapshot, with the log position that the snapshot includes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from projections.member import PERSONAL
from projections.member.edges import LINKED, Identified
from projections.member.edges import Decision as Verdict
from schemas.personal import Unsealer
from services.following.applied_log import checkpoints, of_topic
from services.identity import store
from services.identity.index import features_of
from services.identity.matching.features import Features
from services.identity.pairs import Pair, StaffDecision
from services.identity.people import unsealed_person
from services.identity.shards import TOPIC, Positions
from services.runtime.db import Connection
from services.runtime.keys import SubjectKeys
from services.runtime.rows import rows_of

PROFILES = f"""
select profile_id, registered_at, given_at, erased_at, {", ".join(PERSONAL)} from profile
"""
IDENTIFIERS = "select profile_id, kind, value_index, verified, first_seen, seen_at from identifier"
VERDICTS = "select profile_id, other_profile_id, verdict, decided_at, actor from profile_link"
GROUPS = "select profile_id, member_id from member_group"
RULES = "select valid_from, version, identifiers from match_rules"
TIMES = "select profile_id, at from hitotsu.match_features"
DECISIONS = "select * from hitotsu.match_decision"
AT_ONCE = 2_000
Moved = Callable[[str, int, int], None]


@dataclass(slots=True)
class Moment:
    """The state of all profiles at the log position `positions` (next offset per partition)."""

    positions: Positions
    registered: dict[bytes, int | None] = field(default_factory=dict)
    features: dict[bytes, Features] = field(default_factory=dict)
    identifiers: list[Identified] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    groups: dict[bytes, bytes] = field(default_factory=dict)
    rules: list[tuple[int, str, str]] = field(default_factory=list)
    decisions: dict[Pair, StaffDecision] = field(default_factory=dict)
    times: dict[bytes, int] = field(default_factory=dict)
    """The time of each profile's state, in microseconds."""

    @property
    def members(self) -> dict[bytes, frozenset[bytes]]:
        """The present members: for each profile, all profiles of its member."""
        return grouped(self.groups)


async def moment(connection: Connection, keys: SubjectKeys, group: str, moved: Moved) -> Moment:
    """Reads the present state; calls `moved` with the progress: (what, done, total).

    Raises `psycopg.Error` when Postgres is unreachable.
    """
    async with connection.transaction():
        await connection.execute("set transaction isolation level repeatable read, read only")
        ends = of_topic(await checkpoints(connection, group, [TOPIC]), TOPIC)
        found = Moment(tuple(ends.get(number, 0) for number in range(max(ends, default=-1) + 1)))
        shown: dict[bytes, list[tuple[str, bytes]]] = {}
        for row in await rows_of(connection, IDENTIFIERS, []):
            profile, index = row["profile_id"].bytes, row["value_index"].bytes
            found.identifiers.append(
                (profile, row["kind"], index, row["verified"], row["first_seen"])
            )
            shown.setdefault(profile, []).append((row["kind"], index))
            found.times[profile] = max(found.times.get(profile, 0), row["seen_at"])
        for row in await rows_of(connection, VERDICTS, []):
            pair = (row["profile_id"].bytes, row["other_profile_id"].bytes)
            found.verdicts.append((*pair, row["verdict"]))
            together = row["verdict"] == LINKED
            # the projection does not keep which evidence a decision is about
            found.decisions[pair] = StaffDecision(
                pair, row["decided_at"], together, bytes(16), None, row["actor"]
            )
        for row in await rows_of(connection, DECISIONS, []):
            decision = store.decision_of_row(row)
            found.decisions[decision.pair] = decision
        for row in await rows_of(connection, GROUPS, []):
            found.groups[row["profile_id"].bytes] = row["member_id"].bytes
        for row in await rows_of(connection, RULES, []):
            found.rules.append((row["valid_from"], row["version"], row["identifiers"]))
        rows = await rows_of(connection, PROFILES, [])
        for row in rows:
            said = [row["registered_at"] or 0, *(row["given_at"] or ())]
            profile = row["profile_id"].bytes
            found.times[profile] = max(found.times.get(profile, 0), *said)
        for row in await rows_of(connection, TIMES, []):
            found.times[row["profile_id"].bytes] = row["at"]
    await _opened(found, rows, shown, keys, moved)
    return found


async def _opened(
    found: Moment,
    rows: list[dict[str, Any]],
    shown: dict[bytes, list[tuple[str, bytes]]],
    keys: SubjectKeys,
    moved: Moved,
) -> None:
    """Sets `registered`, and `features` from the unsealed personal data and the identifiers.

    A profile that was never registered has only identifiers; an erased one gets no features.
    """
    held = {row["profile_id"].bytes: row for row in rows}
    found.registered = {profile: row["registered_at"] for profile, row in held.items()}
    everyone = sorted(held.keys() | shown.keys())
    for start in range(0, len(everyone), AT_ONCE):
        part = everyone[start : start + AT_ONCE]
        known = await keys.existing(part)
        unsealer = Unsealer(known)
        for profile in part:
            row = held.get(profile, {})
            if profile in known and row.get("erased_at") is None:
                person = unsealed_person(unsealer, profile, row, sorted(shown.get(profile, ())))
                features = features_of(person)
                if features is not None:
                    found.features[profile] = features
        moved("profiles", start + len(part), len(everyone))


def grouped(groups: dict[bytes, bytes]) -> dict[bytes, frozenset[bytes]]:
    """Converts {profile: member id} to {profile: all profiles of its member}."""
    parts: dict[bytes, set[bytes]] = {}
    for profile, member in groups.items():
        parts.setdefault(member, set()).add(profile)
    frozen = {member: frozenset(part) for member, part in parts.items()}
    return {profile: frozen[member] for profile, member in groups.items()}


def ids(profiles: frozenset[bytes]) -> list[UUID]:
    """The ids as UUIDs, sorted."""
    return [UUID(bytes=one) for one in sorted(profiles)]
