"""Makes an event for each lot with expired points, once a day in its program's time zone.

A lot with an expiry time needs no event to expire: queries compare that time with the clock. The
events record it in the ledger. Expiry by inactivity takes effect by these events alone. Points that
are held or arrive late are examined again on the next day.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from projections.core.instants import DAY
from projections.point_balance.account import Lot
from schemas.generated.events import PointsExpired
from services.following.background_task import BackgroundTask
from services.points.program.calendar import lapses_at, local_date, midnight
from services.points.program.entries import meta_of
from services.points.program.programs import USUAL, Program, Programs, in_force
from services.points.program.rules import EarningRules, Inactivity, readable
from services.points.program.sales import versions
from services.points.returns.effective_balances import (
    EffectiveBalances,
    delete_applied_entries,
    lock_balances,
)
from services.points.returns.settlement_store import store_settlements
from services.runtime.db import Connection
from services.runtime.metrics import POINTS_EXPIRED
from services.runtime.rows import rows_of

AT_ONCE = 200
LOOK_SECONDS = 5.0
ACTIVITY = ("earned", "opened", "redeemed")
BEGUN = "select day from hitotsu.points_sweep where program_id = %s for update"
BEGIN = """
insert into hitotsu.points_sweep (program_id, day) values (%s, %s)
on conflict (program_id) do update set day = excluded.day
"""
# Scans all entries once a day for candidates: profiles with expired lots, and inactive profiles.
# They may be those of other programs, which are found out when their lots are examined.
OVER = """
insert into hitotsu.points_over (program_id, profile_id)
select distinct %(program)s, profile_id from (
    select e.profile_id from point_entry e join (
        select distinct profile_id, lot_id from point_entry
        where expires_at <= %(at)s and lot_id is not null
    ) o on o.profile_id = e.profile_id and o.lot_id = e.lot_id
    group by e.profile_id, e.lot_id having sum(e.points) > 0
    union all
    select profile_id from point_entry where %(quiet_before)s::bigint is not null
    group by profile_id having sum(points) > 0
        and max(at) filter (where kind = any(%(kinds)s)) < %(quiet_before)s
) x on conflict do nothing
"""
TAKE = """
delete from hitotsu.points_over where program_id = %(program)s and profile_id in (
    select profile_id from hitotsu.points_over where program_id = %(program)s
    order by profile_id limit %(limit)s for update skip locked
) returning profile_id
"""
ONCE = """
insert into hitotsu.points_expired (profile_id, lot_id, expired_on, points)
select * from unnest(%s::uuid[], %s::uuid[], %s::date[], %s::bigint[])
on conflict do nothing returning profile_id, lot_id
"""


def clock() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


class Expiry(BackgroundTask):
    """Background task that expires lots once a day, in the one process that is elected leader."""

    def __init__(
        self,
        dsn: str,
        group: str,
        kick: Callable[[], None],
        clock: Callable[[], int] = clock,
        ready: Callable[[], bool] = lambda: True,
        programs: Programs = USUAL,
    ) -> None:
        """`group`: the projection group whose tables are read. `kick`: triggers the outbox.

        `clock`: microseconds since the epoch. `ready`: returns whether these tables are complete,
        that is, not being built.
        """
        super().__init__(dsn, "points-expiry", LOOK_SECONDS, group, ready)
        self._group, self._kick, self._clock = group, kick, clock
        self._programs = programs

    async def round(self, connection: Connection) -> bool:
        """Calls `sweep` in one transaction; returns whether it has to be called again now."""
        async with connection.transaction():
            more = await sweep(connection, self._group, self._clock(), self._programs)
        await delete_applied_entries(connection)
        if more:
            self._kick()
        return more


async def sweep(connection: Connection, group: str, now: int, programs: Programs = USUAL) -> bool:
    """Expires points that ended before today, for a batch of profiles of one program.

    The first call of a program's day only stores which profiles to examine; each later call takes
    at most `AT_ONCE` of them. Returns False when no profile is left in any program, or no program
    has rules in force. `now`: microseconds.
    """
    rows = readable(await versions(connection))
    for program in programs.declared(rows):
        row = in_force(rows, program, now)
        if row is not None and await _sweep(connection, group, now, program, row["read"], programs):
            return True
    return False


async def _sweep(
    connection: Connection,
    group: str,
    now: int,
    program: Program,
    rules: EarningRules,
    programs: Programs,
) -> bool:
    """As `sweep`, for one program."""
    day = local_date(now, rules.zone)
    at = midnight(day, rules.zone)
    begun = await rows_of(connection, BEGUN, [program.stored])
    if not begun or begun[0]["day"] < day:
        values = {"at": at, "quiet_before": _quiet(rules, at), "kinds": list(ACTIVITY)}
        await connection.execute(OVER, values | {"program": program.stored})
        await connection.execute(BEGIN, [program.stored, day])
        return True
    taken = await rows_of(connection, TAKE, {"program": program.stored, "limit": AT_ONCE})
    profiles = [row["profile_id"] for row in taken]
    if not profiles:
        return False
    here = await lock_balances(connection, profiles, group, programs)
    over = [
        lot
        for profile_id in profiles
        for lot in _left(here, profile_id, program)
        if lot.until <= at
        or (lot.expires_at is None and _lapsed(_last(here, profile_id, program), at, rules))
    ]
    await _expire(connection, here, over, day, at, program)
    return True


def _quiet(rules: EarningRules, at: int) -> int | None:
    """Profiles whose last activity is before this instant are candidates for expiry by inactivity.

    It is never before the exact limit, which `_lapsed` applies. None: no such expiry in the rules.
    """
    expiry = rules.expiry
    return at - (expiry.months * 28 - 1) * DAY if isinstance(expiry, Inactivity) else None


def _lapsed(last_at: int | None, at: int, rules: EarningRules) -> bool:
    end = lapses_at(rules.expiry, last_at, rules.zone) if last_at is not None else None
    return end is not None and end <= at


def _last(here: EffectiveBalances, profile_id: UUID, program: Program) -> int | None:
    """When the profile's member last earned or spent in a program; None if it never did."""
    entries = here.holder(profile_id, program).entries
    return max((one["at"] for one in entries if one["kind"] in ACTIVITY), default=None)


def _left(here: EffectiveBalances, profile_id: UUID, program: Program) -> list[Lot]:
    """Lots of the profile's member in a program with points left that no hold reserves.

    A lot whose earning is not applied yet is left out.
    """
    lots = here.holder(profile_id, program).account(here.at).lots
    return [lot for lot in lots if lot.left > 0 and lot.earned_at is not None]


async def _expire(
    connection: Connection,
    here: EffectiveBalances,
    over: list[Lot],
    day: date,
    at: int,
    program: Program,
) -> None:
    """Stores an expiry event per lot, except for lots that were expired on this day before."""
    # two profiles of one member list the same lots
    over = list({(lot.profile_id, lot.lot_id): lot for lot in over}.values())
    if not over:
        return
    columns: list[list[Any]] = [
        [lot.profile_id for lot in over], [lot.lot_id for lot in over], [day] * len(over),
        [lot.left for lot in over],
    ]  # fmt: skip
    new = {(row["profile_id"], row["lot_id"]) for row in await rows_of(connection, ONCE, columns)}
    facts = [_fact(lot, day, at, program.id) for lot in over if (lot.profile_id, lot.lot_id) in new]
    here.tell(facts)
    await store_settlements(connection, [], here)
    POINTS_EXPIRED.inc(len(facts))


def _fact(lot: Lot, day: date, at: int, program: str) -> PointsExpired:
    name = uuid5(lot.lot_id, f"expired {lot.profile_id} {day}")
    days = (day - date(1970, 1, 1)).days
    return PointsExpired(
        meta=meta_of(name, at),
        profile_id=lot.profile_id.bytes,
        lot_id=lot.lot_id.bytes,
        points=lot.left,
        expired_on=days,
        program_id=program,
    )
