"""Members' points including decided events that the projector has not applied yet.

The entries of a decided event are kept in `hitotsu.points_awaited` until the event is applied, and
the points it takes are a hold, so that code that reads only entries and holds does not spend them
again. Awaited entries and holds are read before the applied entries: an event that is applied in
between is read twice, and its second copy is dropped by event id.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from projections.core.instants import micros
from projections.point_balance.programs import of_program
from services.points.holds.balances import LOCKS, members_of
from services.points.program.entries import SYSTEM, Fact, entries_of
from services.points.program.programs import USUAL, Program, Programs
from services.points.returns.member_points import MemberPoints
from services.points.returns.policies import Spot
from services.runtime.db import Connection
from services.runtime.rows import rows_of

NOW = """
select clock_timestamp() as now, (
    select coalesce(json_object_agg(topic || '-' || partition, next_offset), '{}')
    from hitotsu.checkpoint where grp = %s
        and topic in ('commerce.points', 'commerce.purchases', 'commerce.members')
) as position
"""
HELD = """
select id, profile_id, lot_id, points, state, program_id from hitotsu.points_hold
where profile_id = any(%s::uuid[]) and client <> %s
    and (state = 'captured' or state = 'open' and expires_at > clock_timestamp())
"""
AWAITED = """
select event_id, number, entry from hitotsu.points_awaited where profile_id = any(%s::uuid[])
"""
ENTRIES = """
select event_id, number, profile_id, lot_id, kind, points, at, active_from, expires_at,
    transaction_id, line_no, terminal, rule_version, program_id, foreign_money
from point_entry where profile_id = any(%s::uuid[])
"""
FORGIVEN = """
select profile_id, program_id, points from hitotsu.points_forgiven
where profile_id = any(%s::uuid[])
"""
AWAIT = """
insert into hitotsu.points_awaited (event_id, number, profile_id, entry)
select event_id, number, profile_id, entry::jsonb
from unnest(%s::uuid[], %s::smallint[], %s::uuid[], %s::text[])
    as x(event_id, number, profile_id, entry)
on conflict do nothing
"""
HOLD = """
insert into hitotsu.points_hold (id, profile_id, lot_id, points, place, whose, channel, client,
    state, transaction_id, expires_at)
select id, profile_id, lot_id, points, place, profile_id, 'OTHER', %s, 'captured', sale,
    clock_timestamp()
from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::smallint[], %s::uuid[])
    as x(id, profile_id, lot_id, points, place, sale)
on conflict do nothing
"""
FORGIVE = """
insert into hitotsu.points_forgiven (profile_id, program_id, points)
select * from unnest(%s::uuid[], %s::text[], %s::bigint[])
on conflict (profile_id, program_id) do update set points = excluded.points
"""
# one statement, so that an applied event loses its awaited entries and its holds together
ARRIVED = """
with gone as (
    delete from hitotsu.points_awaited a using point_entry e
    where e.profile_id = a.profile_id and e.event_id = a.event_id and e.number = a.number
    returning a.event_id
)
delete from hitotsu.points_hold h using (select distinct event_id from gone) g
where h.id = g.event_id and h.client = %s
"""
IDS = ("event_id", "profile_id", "lot_id", "transaction_id")
# of entries, those that rows awaited since before programs existed do not have
LACKING: dict[str, Any] = {"program_id": None, "foreign_money": None}
Owner = tuple[UUID, str]  # a profile and a program, empty for the default one


@dataclass(slots=True)
class EffectiveBalances:
    """The points of locked members at `now`; holds and entries by profile id.

    `position`: next offset to apply by "topic-partition". `open_holds`, `forgiven`: points by
    profile and program. `facts`: events added by `tell`. `changed`: whose `forgiven` differs from
    the stored value.
    """

    now: datetime
    position: dict[str, int]
    members: dict[UUID, tuple[UUID, ...]]
    entries: dict[UUID, list[dict[str, Any]]]
    held: dict[UUID, dict[Spot, int]]
    open_holds: dict[Owner, int]
    forgiven: Counter[Owner]
    facts: list[Fact] = field(default_factory=list)
    changed: set[Owner] = field(default_factory=set)
    programs: Programs = USUAL

    @property
    def at(self) -> int:
        """`now` in microseconds."""
        return micros(self.now)

    def holder(self, profile_id: UUID, program: Program | None = None) -> MemberPoints:
        """The points of the profile's member in a program, including all events added so far.

        None: in the default program.
        """
        program = program or self.programs.default
        profiles = self.members.get(profile_id, (profile_id,))
        held: dict[Spot, int] = {}
        for one in profiles:
            held.update(self.held.get(one, {}))
        rows = [row for one in profiles for row in self.entries.get(one, ())]
        return MemberPoints(
            [*of_program(rows, program.id, self.programs.default_id)],
            held,
            sum(self.open_holds.get((one, program.stored), 0) for one in profiles),
            sum(self.forgiven.get((one, program.stored), 0) for one in profiles),
        )

    def tell(self, facts: Iterable[Fact]) -> None:
        """Adds decided events; `holder` includes them from now on."""
        for fact in facts:
            self.facts.append(fact)
            for row in entries_of(fact):
                self.entries.setdefault(row["profile_id"], []).append(row)

    def forgive(self, profile_id: UUID, points: int, program: Program | None = None) -> None:
        """Adds `points` to what the profile's member is forgiven in a program; if negative,
        subtracts. None: in the default program.

        Adds to the profile itself; subtracts from all profiles of the member in turn, down to 0.
        """
        name = (program or self.programs.default).stored
        for one in [profile_id, *self.members.get(profile_id, ())]:
            owner = one, name
            part = points if points > 0 else max(points, -self.forgiven[owner])
            if part:
                self.forgiven[owner] += part
                self.changed.add(owner)
                points -= part


async def lock_balances(
    connection: Connection, asked: Iterable[UUID], group: str, programs: Programs = USUAL
) -> EffectiveBalances:
    """Locks the members of the profiles `asked`, in the order of all deciders; reads their points.

    `group`: the projection group whose checkpoints are the position.
    """
    members = await members_of(connection, asked)
    profiles = sorted({one for member in members.values() for one in member})
    await connection.execute(LOCKS, [profiles])
    (moment,) = await rows_of(connection, NOW, [group])
    holds = await rows_of(connection, HELD, [profiles, SYSTEM])
    awaited = await rows_of(connection, AWAITED, [profiles])
    found = await rows_of(connection, ENTRIES, [profiles])
    forgiven = await rows_of(connection, FORGIVEN, [profiles])
    here = _standing(moment, members, holds, [*found, *_missing(awaited, found)], programs)
    here.forgiven.update(
        {(row["profile_id"], row["program_id"]): row["points"] for row in forgiven}
    )
    return here


def _missing(awaited: Iterable[Any], found: Iterable[Any]) -> Iterable[dict[str, Any]]:
    """Awaited entries that are not among the applied entries `found`."""
    there = {(row["event_id"], row["number"]) for row in found}
    for row in awaited:
        if (row["event_id"], row["number"]) not in there:
            entry = row["entry"]
            yield {**LACKING, **entry, **{name: entry[name] and UUID(entry[name]) for name in IDS}}


def _standing(
    moment: dict[str, Any],
    members: dict[UUID, tuple[UUID, ...]],
    holds: list[dict[str, Any]],
    rows: list[dict[str, Any]],
    programs: Programs,
) -> EffectiveBalances:
    entries: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        entries[row["profile_id"]].append(row)
    there = {row["event_id"] for row in rows}
    held: dict[UUID, Counter[Spot]] = defaultdict(Counter)
    opened: Counter[Owner] = Counter()
    for hold in holds:
        if uuid5(hold["id"], "captured") in there:
            continue
        spot = (hold["profile_id"], hold["lot_id"])
        held[spot[0]][spot] += hold["points"]
        if hold["state"] == "open":
            opened[spot[0], hold["program_id"]] += hold["points"]
    return EffectiveBalances(
        moment["now"], moment["position"], members, dict(entries),
        {profile: dict(spots) for profile, spots in held.items()}, dict(opened), Counter(),
        programs=programs,
    )  # fmt: skip


async def expect(connection: Connection, facts: Sequence[Fact]) -> None:
    """Stores the events' entries as awaited, and holds the points that they take from lots."""
    rows = [row for fact in facts for row in entries_of(fact)]
    if not rows:
        return
    await connection.execute(
        AWAIT,
        [
            [row["event_id"] for row in rows], [row["number"] for row in rows],
            [row["profile_id"] for row in rows], [json.dumps(row, default=str) for row in rows],
        ],
    )  # fmt: skip
    takes = [row for row in rows if row["points"] < 0 and row["lot_id"] is not None]
    if takes:
        names = ("event_id", "profile_id", "lot_id", "points", "number", "transaction_id")
        columns = [[row[name] for row in takes] for name in names]
        columns[3] = [-points for points in columns[3]]
        await connection.execute(HOLD, [SYSTEM, *columns])


async def forgive(connection: Connection, here: EffectiveBalances) -> None:
    """Stores the forgiven points of the profiles in `here.changed`."""
    changed = sorted(here.changed)
    if changed:
        profiles, names = [one for one, _ in changed], [name for _, name in changed]
        points = [here.forgiven[one] for one in changed]
        await connection.execute(FORGIVE, [profiles, names, points])


async def delete_applied_entries(connection: Connection) -> None:
    """Deletes awaited entries whose event is applied by now, and the holds of these events."""
    await connection.execute(ARRIVED, [SYSTEM])
