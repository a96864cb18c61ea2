"""The review queue: pairs to decide, members that could not be joined, quarantined identifiers.

Pairs come by descending weight; pairs that are one member already are left out. Then members that
the grouping could not join, then identifiers that are on too many profiles or blocked. Closed cases
are listed on request, the last closed first. Pages are keyset pages: a page continues after the
last key of the previous one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from projections.core.instants import instant
from projections.member.edges import quarantined
from projections.member.quarantine import IN_QUARANTINE, RULED, parameters
from projections.member.rules import ActiveRules, active
from services.reading.database import ReadSnapshot
from services.runtime.config import Settings
from services.runtime.db import pool

Kind = Literal["pair", "conflict", "quarantine"]
State = Literal["open", "closed"]
KINDS: tuple[Kind, ...] = ("pair", "conflict", "quarantine")

# pairs that the grouping has already made one member need no decision
PAIRS = """
select c.*, a.member_id as member_id, b.member_id as other_member_id
from hitotsu.identity_case c
left join member_group a on a.profile_id = c.profile_id
left join member_group b on b.profile_id = c.other_profile_id
where c.rule_version = %(version)s and c.closed_at is null
    and (a.member_id is null or a.member_id is distinct from b.member_id)
    and (%(profile)s::uuid is null or %(profile)s in (c.profile_id, c.other_profile_id))
    and (%(weight)s::float8 is null or (-c.weight, c.case_id) > (-%(weight)s::float8, %(id)s::uuid))
order by c.weight desc, c.case_id limit %(limit)s
"""
CLOSED = """
select c.*, a.member_id as member_id, b.member_id as other_member_id
from hitotsu.identity_case c
left join member_group a on a.profile_id = c.profile_id
left join member_group b on b.profile_id = c.other_profile_id
where c.closed_at is not null
    and (%(profile)s::uuid is null or %(profile)s in (c.profile_id, c.other_profile_id))
    and (%(weight)s::float8 is null
        or (-c.closed_at, c.case_id) > (-%(weight)s::bigint, %(id)s::uuid))
order by c.closed_at desc, c.case_id limit %(limit)s
"""
CONFLICTS = """
select member_id, profiles from member_group where profile_id = member_id and open_case
    and (%(profile)s::uuid is null or %(profile)s = any(profiles))
    and (%(id)s::uuid is null or member_id > %(id)s) order by member_id limit %(limit)s
"""

QUARANTINES = f"""
select i.kind, i.value_index, array_agg(i.first_seen) as times,
    (array_agg(i.profile_id order by i.first_seen, i.profile_id))[1:50] as profiles
from identifier i join {RULED} using (kind)
where (%(weight)s::text is null or (i.kind, i.value_index) > (%(weight)s::text, %(id)s::uuid))
group by i.kind, i.value_index, k.at_most, k.most, k.span
having {IN_QUARANTINE}
    and (%(profile)s::uuid is null or %(profile)s = any(array_agg(i.profile_id)))
order by i.kind, i.value_index limit %(limit)s
"""
VERSION = "select version from match_rules order by valid_from desc, version desc limit 1"
RULES = "select valid_from, version, identifiers from match_rules"


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """A page of the queue; `after` is the last key of the page before, [] for the first page.

    `kinds` selects open entries; closed cases are all pairs.
    """

    state: State
    kinds: tuple[Kind, ...]
    profile_id: UUID | None
    limit: int
    after: Sequence[Any]


async def page(
    snapshot: ReadSnapshot, version: str, asked: QueueQuery
) -> tuple[list[dict[str, Any]], list[Any]]:
    """At most `limit` entries, and the key after which to continue ([] when there are no more)."""
    rules = await _rules(snapshot)
    sections = ["closed"] if asked.state == "closed" else [k for k in KINDS if k in asked.kinds]
    section, *key = asked.after or [sections[0], None, None]
    found: list[dict[str, Any]] = []
    for name in sections[sections.index(section) if section in sections else 0 :]:
        left = asked.limit - len(found)
        weight, last_id = key if name == section else (None, None)
        values = {
            "version": version, "profile": asked.profile_id, "weight": weight, "id": last_id,
            "limit": left + 1, **parameters(rules),
        }  # fmt: skip
        rows = await snapshot.rows(STATEMENTS[name], values)
        found += [SHOWN[name](row, rules) for row in rows[:left]]
        if len(rows) > left:
            last = rows[left - 1] if left else None
            return found, [name, *_key(name, last)] if last else [name, weight, last_id]
    return found, []


async def listed(settings: Settings, state: State, limit: int) -> list[dict[str, Any]]:
    """The first `limit` entries of all kinds, for the command line."""
    postgres = pool(settings.postgres, group=settings.group, name="cases", timeout=5.0)
    await postgres.open(wait=True, timeout=5.0)
    snapshot = ReadSnapshot(postgres, [settings.group])
    try:
        rows = await snapshot.rows(VERSION, {})
        version = rows[0]["version"] if rows else ""
        return (await page(snapshot, version, QueueQuery(state, KINDS, None, limit, [])))[0]
    finally:
        snapshot.close()
        await postgres.close()


async def _rules(snapshot: ReadSnapshot) -> ActiveRules:
    rows = await snapshot.rows(RULES, {})
    return active((row["valid_from"], row["version"], row["identifiers"]) for row in rows)


def pair_entry(row: dict[str, Any], _rules: ActiveRules | None = None) -> dict[str, Any]:
    """A case of two profiles."""
    closed = row["closed_at"] is not None
    return {
        "kind": "pair",
        "case_id": row["case_id"],
        "state": "closed" if closed else "open",
        "profile_ids": [row["profile_id"], row["other_profile_id"]],
        "member_ids": [row["member_id"], row["other_member_id"]],
        "weight": row["weight"],
        "evidence": row["evidence"],
        "rule_version": row["rule_version"],
        "opened_at": instant(row["opened_at"]),
        "closed_at": instant(row["closed_at"]) if closed else None,
        "outcome": row["outcome"],
        "event_id": row["event_id"],
        "actor": row["actor"],
        "reason": row["reason"],
    }


def conflict_entry(row: dict[str, Any], _rules: ActiveRules | None = None) -> dict[str, Any]:
    """A member that shares strong identifiers with another but was not joined with it."""
    return {
        "kind": "conflict",
        "case_id": row["member_id"],
        "state": "open",
        "profile_ids": row["profiles"],
        "member_ids": [row["member_id"]],
    }


def quarantine_entry(row: dict[str, Any], rules: ActiveRules) -> dict[str, Any]:
    """An identifier that does not link profiles."""
    return {
        "kind": "quarantine",
        "case_id": row["value_index"],
        "state": "open",
        "identifier": row["kind"],
        "why": quarantined(rules.kinds[row["kind"]], row["value_index"].bytes, row["times"]),
        "profiles": len(row["times"]),
        "profile_ids": row["profiles"],
    }


def _key(section: str, row: dict[str, Any]) -> list[Any]:
    if section == "pair":
        return [row["weight"], row["case_id"]]
    if section == "closed":
        return [row["closed_at"], row["case_id"]]
    if section == "quarantine":
        return [row["kind"], row["value_index"]]
    return [None, row["member_id"]]


STATEMENTS = {
    "pair": PAIRS, "closed": CLOSED, "conflict": CONFLICTS, "quarantine": QUARANTINES,
}  # fmt: skip
SHOWN: dict[str, Callable[[dict[str, Any], ActiveRules], dict[str, Any]]] = {
    "pair": pair_entry, "closed": pair_entry, "conflict": conflict_entry,
    "quarantine": quarantine_entry,
}  # fmt: skip
