"""Locks members and reads the points that they can spend, for decisions on holds.

Every decision about a profile's points takes that profile's advisory lock, in a fixed order. So two
decisions never spend the same points. The projector takes no such lock: it inserts the entries of a
redemption and ends its hold in one transaction. One statement here reads entries and holds, so
points are never counted twice or missed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from projections.core.instants import micros
from projections.point_balance.account import Draw, Lot, account, named
from projections.point_balance.programs import LOT_PROGRAM
from services.points.holds.purse import Purse, PurseKey, Spot
from services.points.program.entries import SYSTEM
from services.points.program.programs import USUAL, Programs
from services.runtime.arrays import Array, array
from services.runtime.db import Connection
from services.runtime.rows import rows_of, send_query

# Members of the requested profiles and of the profiles of the named holds, in one round trip.
# The lateral subquery (offset 0) keeps the planner on index look-ups per id: a plan made for few
# rows would read the whole table, and prepared statements keep their plan.
MEMBERS = """
select asked.profile_id, (
    select head.profiles from member_group own join member_group head
    on head.profile_id = own.member_id where own.profile_id = asked.profile_id
) as profiles
from (
    select unnest(%(asked)s) as profile_id
    union select held.profile_id from unnest(%(named)s) as named(id), lateral (
        select profile_id from hitotsu.points_hold where id = named.id offset 0) held
) asked
"""
# Locked by hash: two profiles with the same hash wait for each other, which does no harm.
LOCKS = """
select pg_advisory_xact_lock(hashtext('hitotsu.points'), hash)
from (select distinct hashtext(id::text) as hash from unnest(%s::uuid[]) id order by 1) x
"""
NAMED = """
select id, profile_id, lot_id, points, place, whose, channel, client, state, expires_at,
    transaction_id, program_id
from hitotsu.points_hold where id = any(%s) order by id, place
"""
# The clock is read once, under the locks, so that a hold has expired for all parts of the statement
# or for none. Points that an event of this program takes count as held until the event is applied.
SEEN = f"""
with moment as materialized (select clock_timestamp() as now),
entry as materialized (select * from point_entry where profile_id = any(%(profiles)s)),
hold as materialized (
    select id, profile_id, lot_id, points, client, state, expires_at from hitotsu.points_hold
    where profile_id = any(%(profiles)s) and state in ('open', 'captured')
)
select 'lot' as what, profile_id, lot_id, null::uuid as event_id, '' as kind,
    sum(points) as points, count(*)::bigint as entries,
    min(at) filter (where points > 0 and (kind <> 'reinstated' or expires_at is not null)) as at,
    max(active_from) as active_from, max(expires_at) as expires_at, null::uuid as transaction_id,
    null::timestamptz as now, {LOT_PROGRAM} as program_id
from entry where lot_id is not null
group by profile_id, lot_id
union all
select 'draw', profile_id, null, event_id, kind, -points, 1, at, null, expires_at,
    transaction_id, null, program_id
from entry where lot_id is null
union all
select 'bought', profile_id, lot_id, null, '', 0, 0, null, null, null, transaction_id, null, null
from entry where kind = 'earned' and transaction_id in (
    select transaction_id from entry where lot_id is null and kind = 'reversed')
union all
select 'held', profile_id, lot_id, null, '', sum(points), 0, null, null, null, null, null, null
from hold, moment
where (state = 'captured' or expires_at > now) and (client <> %(system)s or not exists (
    select from entry e where e.profile_id = hold.profile_id and e.event_id = hold.id))
group by profile_id, lot_id
union all
select 'over', profile_id, null, null, '', 0, 0, null, null, null, null, null, null
from hold, moment where state = 'open' and expires_at <= now
union all
select 'position', null, null, null,
    coalesce(json_object_agg(topic || '-' || partition, next_offset)::text, '{{}}'),
    0, 0, null, null, null, null, null, null
from hitotsu.checkpoint where grp = %(group)s
    and topic in ('commerce.points', 'commerce.members')
union all
select 'now', null, null, null, '', 0, 0, null, null, null, null, now, null from moment
"""


@dataclass(slots=True)
class LockedPurses:
    """The locked profiles at `now`: their purses, read under the locks.

    `purses`: by profile id and program (its stored name).

    `position`: next offset to apply by "topic-partition". `over`: profiles with open holds that
    have expired. `holds`: the rows of the named holds. `unseen`: requested profiles of which no
    event was applied.
    """

    purses: dict[PurseKey, Purse]
    now: datetime
    position: dict[str, int]
    over: list[UUID]
    holds: list[dict[str, Any]]
    unseen: set[UUID] = field(default_factory=set)


async def under_locks(
    connection: Connection,
    asked: Iterable[UUID],
    named: Iterable[UUID],
    group: str,
    programs: Programs = USUAL,
) -> LockedPurses:
    """Locks the members of the profiles `asked` and of the holds `named`; reads their points."""
    members = await members_of(connection, asked, named)
    profiles = sorted({one for member in members.values() for one in member})
    wanted = _ids(profiles)
    await connection.execute(LOCKS, [wanted])
    values = {"profiles": wanted, "group": group, "system": SYSTEM}
    seen = await send_query(connection, SEEN, values)
    # only now, under the locks: another process may have resolved the holds while this one waited
    holds = await rows_of(connection, NAMED, [_ids(named)]) if named else []
    rows = await seen.fetchall()
    (now,) = [row["now"] for row in rows if row["what"] == "now"]
    (position,) = [json.loads(row["kind"]) for row in rows if row["what"] == "position"]
    over = sorted({row["profile_id"] for row in rows if row["what"] == "over"})
    purses = _purses(members, rows, micros(now), programs)
    return LockedPurses(purses, now, position, over, holds)


async def members_of(
    connection: Connection, asked: Iterable[UUID], named: Iterable[UUID] = ()
) -> dict[UUID, tuple[UUID, ...]]:
    """By profile id: the ids of all profiles of its member; only itself if it has no member.

    Has the profiles `asked`, and the profiles from which the holds `named` take points.
    """
    wanted = {"asked": _ids(set(asked)), "named": _ids(named)}
    rows = await rows_of(connection, MEMBERS, wanted)
    return {
        row["profile_id"]: tuple(row["profiles"] or (row["profile_id"],))
        for row in sorted(rows, key=lambda row: row["profile_id"])
    }


def _ids(values: Iterable[UUID]) -> Array:
    return array("uuid", [one.bytes for one in values])


def _purses(
    members: dict[UUID, tuple[UUID, ...]], rows: list[dict[str, Any]], at: int, programs: Programs
) -> dict[PurseKey, Purse]:
    """A purse for each member and program of which it has entries; for the default one always."""
    profiles: dict[UUID, dict[str, _Profile]] = defaultdict(lambda: defaultdict(_Profile))
    held: dict[Spot, int] = {}
    bought: dict[Spot, UUID] = {}
    for row in rows:
        spot = row["profile_id"], row["lot_id"]
        if row["what"] == "bought":
            bought[spot] = row["transaction_id"]
        elif row["what"] == "held":
            held[spot] = int(row["points"])
    for row in rows:
        if row["what"] in ("lot", "draw"):
            program = programs.of(row["program_id"]).stored
            profiles[row["profile_id"]][program].take(row, bought)
    purses: dict[PurseKey, Purse] = {}
    for member in members.values():
        for program in {"", *(name for one in member for name in profiles[one])}:
            if (member[0], program) in purses:
                continue
            own = [profiles[one][program] for one in member]
            lots = named([lot for one in own for lot in one.lots])
            found = account(lots, [draw for one in own for draw in one.draws], at, held)
            purse = Purse(found, at, sum(one.entries for one in own))
            purses.update({(one, program): purse for one in member})
    return purses


@dataclass(slots=True)
class _Profile:
    """What the rows of `SEEN` say about one profile in one program."""

    lots: list[Lot] = field(default_factory=list)
    draws: list[Draw] = field(default_factory=list)
    entries: int = 0

    def take(self, row: dict[str, Any], bought: dict[Spot, UUID]) -> None:
        profile_id, lot_id, points = row["profile_id"], row["lot_id"], int(row["points"])
        self.entries += row["entries"]
        if row["what"] == "lot":
            self.lots.append(
                Lot(
                    profile_id, lot_id, points, 0, row["at"], row["active_from"],
                    row["expires_at"], bought.get((profile_id, lot_id)),
                )
            )  # fmt: skip
        else:
            self.draws.append(
                Draw(
                    profile_id, row["event_id"], row["kind"], points, row["at"],
                    row["transaction_id"], row["expires_at"],
                )
            )  # fmt: skip
