"""The queries about points: balances, entries, debts between profiles, and the liability.

Each is about one program; asked without one, about the default program.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from projections.core import NotFound, Page, Read, Subject
from projections.core.instants import Moment, instant, micros
from projections.point_balance import HELD, across, entry, projection, rules
from projections.point_balance import former_balances as _former_balances  # noqa: F401
from projections.point_balance.account import Account, Lot, account, lots_and_draws
from projections.point_balance.debt_pairs import owed
from projections.point_balance.programs import LOT_PROGRAM, SETTING, of_program
from schemas.currencies import MinorUnits, minor_units

LotState = Literal["pending", "active"]
ProgramAsked = Annotated[str, Field(min_length=1, max_length=64)] | None
# what each sale did to a profile's points; `owner_id`: of the lot, if it is another profile's
projection.lists(
    "points_of_sales",
    (),
    """
select profile_id, null::uuid as owner_id, transaction_id, kind, points, program_id
from point_entry
union all
select profile_id, owner_id, transaction_id, kind, -points, program_id from points_across
""",
    entry,
    across,
)


class ProfilePoints(BaseModel):
    """A profile's part of the member's balance: its active lots less its debt."""

    profile_id: UUID
    balance: int


class LotPoints(BaseModel):
    """A lot: points with the same expiry. `points`: left in it and not held."""

    lot_id: UUID
    profile_id: UUID
    state: LotState
    points: int
    earned_at: datetime | None
    active_from: datetime | None
    expires_at: datetime | None
    transaction_id: UUID | None
    line_no: int | None


class Points(BaseModel):
    """The member's points over all profiles and channels; `lots` in the order of spending.

    balance = active - debt; available = balance without held points, never below 0. If `held_known`
    is false, holds are unknown, and no figure takes them into account.
    """

    program: str
    balance: int
    available: int
    active: int
    pending: int = Field(description="Points earned that cannot be spent yet.")
    debt: int = Field(description="Points taken that the member did not have, not repaid yet.")
    held: int = Field(description="Points in holds for purchases that are not finished.")
    held_known: bool
    earned: int
    opened: int = Field(description="Points taken over from an older system.")
    redeemed: int
    taken_back: int
    expired: int = Field(description="Points that expired, whether or not an event reports it.")
    version: int = Field(
        description="Number of entries in these figures; less only after profiles left the member."
    )
    lots: list[LotPoints]
    profiles: list[ProfilePoints]


@projection.query("/v1/members/{member_id}/points", scope="points:read", part="balance")
async def points_of(
    read: Read, member: Subject, as_of: Moment | None = None, program: ProgramAsked = None
) -> Points:
    """The member's point balance over all channels, in one program: without `program`, the default.

    `as_of`: the balance at that time, by event time, without holds.
    """
    profile_ids = list(member.ids)
    at = micros(as_of or datetime.now(UTC))
    default = read.setting(SETTING)
    whole = await read.rows(entry, profile_id=profile_ids)
    rows = of_program(whole, program or default, default)
    if not rows:
        await _check(read, program)
    held = None
    if as_of is None:
        held = await read.held(HELD, profile_ids, whole)
    else:
        rows = [row for row in rows if row["at"] <= at]
    found = account(*lots_and_draws(rows), at, held)
    return _points(program or default, found, rows, at, held is not None)


async def _check(read: Read, program: str | None) -> None:
    """Raises NotFound for a program of which nothing is known."""
    if program is None or program == read.setting(SETTING):
        return
    if not await read.rows(rules, program_id=[program]):
        raise NotFound(f"there is no points program {program}")


def _points(
    program: str, found: Account, rows: list[dict[str, Any]], at: int, held_known: bool
) -> Points:
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["kind"]] += row["points"]
    profiles = Counter({row["profile_id"]: 0 for row in rows})
    profiles.subtract(found.debts)
    for lot in found.lots:
        if lot.spendable(at):
            profiles[lot.profile_id] += lot.left
    return Points(
        program=program, balance=found.balance, available=found.available, active=found.active,
        pending=found.pending, debt=found.debt, held=found.held, held_known=held_known,
        earned=sums["earned"], opened=sums["opened"],
        redeemed=-sums["redeemed"] - sums["reinstated"], taken_back=-sums["reversed"],
        expired=found.lapsed - sums["expired"], version=len(rows),
        lots=[_lot(lot, at) for lot in found.lots if _shown(lot, at)],
        profiles=[
            ProfilePoints(profile_id=profile_id, balance=points)
            for profile_id, points in sorted(profiles.items())
        ],
    )  # fmt: skip


def _shown(lot: Lot, at: int) -> bool:
    """Whether to list a lot: it is not expired and has points, or is below 0 though active.

    The latter is an error that should be seen. A lot that is not active may be below 0 because
    points were taken from it before its earning is applied.
    """
    return at < lot.until and (lot.left > 0 or (lot.left < 0 and lot.active_at <= at))


def _lot(lot: Lot, at: int) -> LotPoints:
    return LotPoints(
        lot_id=lot.lot_id, profile_id=lot.profile_id, points=lot.left,
        state="pending" if lot.active_at > at else "active",
        earned_at=_when(lot.earned_at), active_from=_when(lot.active_from),
        expires_at=_when(lot.expires_at), transaction_id=lot.transaction_id, line_no=lot.line_no,
    )  # fmt: skip


def _when(at: int | None) -> datetime | None:
    return None if at is None else instant(at)


class PointEntry(BaseModel):
    """A movement of points. `lot_id`: null if no decision named a lot.

    `balance`: the sum of all movements of the program up to and including this one.
    """

    program: str
    event_id: UUID
    at: datetime
    kind: str
    points: int
    balance: int
    profile_id: UUID
    lot_id: UUID | None
    transaction_id: UUID | None
    line_no: int | None
    active_from: datetime | None
    expires_at: datetime | None
    rule_version: str | None = Field(description="Version of the program's rules that gave them.")
    terminal: str | None = Field(description="store/terminal of an offline redemption; else null.")
    currency: str | None = Field(
        description="The sale's currency, if it is not the program's; then `rate` says how it was"
        " converted, and `reason` why it earned nothing."
    )
    minor_units: MinorUnits = None
    rate: str | None = Field(
        description="What one of `currency` was worth in the program's currency, by its rules."
    )
    reason: Literal["no_rate"] | None = Field(
        description="Why no points were earned. `no_rate`: the rules name no rate for `currency`."
    )


ENTRIES = f"""
with own as materialized (select * from point_entry where profile_id = any(%(profile_ids)s)),
lot as (
    select profile_id, lot_id, {LOT_PROGRAM} as named from own
    where lot_id is not null group by profile_id, lot_id
)
select * from (
    select event_id, number, at, kind, points, profile_id, lot_id, transaction_id, line_no,
        active_from, expires_at, rule_version, terminal, foreign_money,
        sum(points) over (order by at, event_id, number) as balance
    from own left join lot using (profile_id, lot_id)
    where coalesce(case when lot_id is null then program_id else named end, %(default)s)
        = %(program)s
) e
where %(at)s::bigint is null
    or (at, event_id, number) < (%(at)s, %(event_id)s::uuid, %(number)s::smallint)
order by at desc, event_id desc, number desc limit %(limit)s
"""


@projection.query("/v1/members/{member_id}/points/entries", scope="points:read")
async def entries_of(
    read: Read, page: Page, member: Subject, program: ProgramAsked = None
) -> list[PointEntry]:
    """All movements of the member's points in one program, newest first.

    Without `program`, in the default one.
    """
    default = read.setting(SETTING)
    limit, after = page.limit, page.after
    at, event_id, number = after or (None, None, None)
    rows = await read.select(
        [entry], ENTRIES, profile_ids=list(member.ids), at=at, event_id=event_id,
        number=number, limit=limit + 1, program=program or default, default=default,
    )  # fmt: skip
    if not rows:
        await _check(read, program)
    if len(rows) > limit:
        last = rows[limit - 1]
        read.more([last["at"], str(last["event_id"]), last["number"]])
    return [_entry(row, program or default) for row in rows[:limit]]


def _entry(row: dict[str, Any], program: str) -> PointEntry:
    values = {name: _when(row[name]) for name in ("at", "active_from", "expires_at")}
    currency, _, rate = (row["foreign_money"] or "").partition(" ")
    return PointEntry(
        **{**row, **values}, program=program, currency=currency or None, rate=rate or None,
        minor_units=minor_units(currency), reason="no_rate" if currency and not rate else None,
    )  # fmt: skip


class Owed(BaseModel):
    """Points that `profile_id` owes `owner_id`: spent of its lots while both were one member, less
    what was given back.
    """

    profile_id: UUID
    owner_id: UUID
    points: int


class OwedPoints(BaseModel):
    """`owes`: debts of the member's profiles to other members' profiles; `is_owed`: the reverse."""

    owes: list[Owed]
    is_owed: list[Owed]


ACROSS = """
select event_id, number, profile_id, owner_id, kind, points, at from points_across
where profile_id = any(%(profile_ids)s) and coalesce(program_id, %(default)s) = %(program)s
union
select event_id, number, profile_id, owner_id, kind, points, at from points_across
where owner_id = any(%(profile_ids)s) and coalesce(program_id, %(default)s) = %(program)s
"""


@projection.query("/v1/members/{member_id}/points/owed", scope="points:read")
async def owed_of(read: Read, member: Subject, program: ProgramAsked = None) -> OwedPoints:
    """Debts between the member's profiles and profiles that were the same member before.

    In one program: without `program`, in the default one.
    """
    ids, default = set(member.ids), read.setting(SETTING)
    rows = await read.select(
        [across], ACROSS, profile_ids=list(ids), program=program or default, default=default
    )
    if not rows:
        await _check(read, program)
    found = owed(rows)
    between = [
        Owed(profile_id=profile_id, owner_id=owner_id, points=points)
        for (profile_id, owner_id), points in sorted(found.items())
        if not {profile_id, owner_id} <= ids
    ]
    return OwedPoints(
        owes=[one for one in between if one.profile_id in ids],
        is_owed=[one for one in between if one.owner_id in ids],
    )


class Liability(BaseModel):
    """Points left in lots that expire in `month` (YYYY-MM); null: in lots that never expire."""

    month: str | None
    points: int
    lots: int


# profiles with entries without a lot are left out: their lots are computed in Python
LIABILITY = f"""
with undecided as (select distinct profile_id from point_entry where lot_id is null),
lots as (
    select profile_id, lot_id, sum(points) as points, max(expires_at) as expires_at,
        coalesce({LOT_PROGRAM}, %(default)s) as program
    from point_entry where lot_id is not null and at <= %(at)s
        and profile_id not in (select profile_id from undecided)
    group by 1, 2
)
select to_char(to_timestamp(expires_at / 1000000) at time zone %(zone)s, 'YYYY-MM') as month,
    sum(points) as points, count(*)::bigint as lots
from lots where points > 0 and program = %(program)s
    and (expires_at is null or expires_at > %(at)s)
group by 1
"""
UNDECIDED = """
select * from point_entry where at <= %(at)s
    and profile_id in (select profile_id from point_entry where lot_id is null)
"""
ZONE = "Asia/Tokyo"


@projection.query("/v1/points-liability", scope="points:read")
async def liability(
    read: Read, as_of: Moment | None = None, program: ProgramAsked = None
) -> list[Liability]:
    """All points that members have left, pending ones included, by month of expiry.

    Of one program: without `program`, of the default one. `as_of`: by event time.
    """
    default = read.setting(SETTING)
    await _check(read, program)
    at, name = micros(as_of or datetime.now(UTC)), program or default
    points: Counter[str | None] = Counter()
    lots: Counter[str | None] = Counter()
    values = {"zone": ZONE, "program": name, "default": default}
    for row in await read.select([entry], LIABILITY, at=at, **values):
        points[row["month"]] += int(row["points"])
        lots[row["month"]] += row["lots"]
    rows = await read.select([entry], UNDECIDED, at=at)
    for lot in _alive(of_program(rows, name, default), at):
        month = None if lot.expires_at is None else _month(lot.expires_at)
        points[month] += lot.left
        lots[month] += 1
    return [
        Liability(month=month, points=points[month], lots=lots[month])
        for month in sorted(points, key=lambda one: one or "9999")
    ]


def _alive(rows: Iterable[dict[str, Any]], at: int) -> list[Lot]:
    found = account(*lots_and_draws(rows), at)
    return [lot for lot in found.lots if lot.left > 0 and at < lot.until]


def _month(at: int) -> str:
    return f"{instant(at).astimezone(ZoneInfo(ZONE)):%Y-%m}"
