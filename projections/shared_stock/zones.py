"""What is on hand where zones of a location are counted, in Python and in SQL. Pure.

A whole count resets the zones: what they were counted before it does not matter any more. Units
that move are not told with a zone: they move in the selling zone, which the location's description
names. With the selling zone counted since the last whole count:

    on hand = the latest count of each zone, and what moved at or after that of the selling zone

Until then, and where the description names none, it is not known in which zones the other units
are: those of the whole count, and what moved. A zone that is counted differently than before (the
first time: than 0) was refilled from these, or what moved was in it, as far as they explain it:

    elsewhere = the whole count + what moves; a zone that has more takes units while there are some,
                one that has fewer gives them while there are fewer than none
    on hand   = the latest count of each zone + elsewhere

Of counts of a zone at one time the greatest holds; a whole count at that time comes after them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from projections.core.columns import ALWAYS
from projections.core.level_parts import PartReading, PartSetting
from schemas.measures import location_sql

Changes = Iterable[tuple[int, int]]


class CountBase(NamedTuple):
    """Units on hand at a time; what moves at or after it is added. None, 0: nothing was counted."""

    at: int | None
    units: int


def on_hand(counts: Sequence[PartReading], changes: Changes, selling: Sequence[PartSetting]) -> int:
    """Units on hand. `changes`: (at, units); `selling`: the location's versions."""
    moves = list(changes)
    base = counted_base(counts, moves, selling)
    return base.units + sum(units for at, units in moves if base.at is None or at >= base.at)


def counted_base(
    counts: Sequence[PartReading], changes: Changes, selling: Sequence[PartSetting]
) -> CountBase:
    """From which figure on units are added up."""
    if not counts:
        return CountBase(None, 0)
    whole, zones = since_whole_count(counts)
    if not zones:
        assert whole is not None
        return CountBase(whole.at, whole.value)
    latest = {one.part: one.value for one in zones}
    newest = zones[-1].at
    seller = selling_zone(selling, newest)
    if seller in latest:
        sold_from = max(one.at for one in zones if one.part == seller)
        return CountBase(sold_from, sum(latest.values()))
    moves, before = list(changes), dict[str | None, int]()
    since, elsewhere = (ALWAYS, 0) if whole is None else (whole.at, whole.value)
    for one in zones:
        elsewhere += sum(units for at, units in moves if since <= at < one.at)
        more = one.value - before.get(one.part, 0)
        elsewhere -= min(more, max(elsewhere, 0)) if more > 0 else max(more, min(elsewhere, 0))
        since, before[one.part] = one.at, one.value
    return CountBase(newest, sum(latest.values()) + elsewhere)


def since_whole_count(
    counts: Sequence[PartReading],
) -> tuple[PartReading | None, list[PartReading]]:
    """The last whole count, and the counts of zones after it by time, of a zone one at a time."""
    whole = max(
        (one for one in counts if one.part is None), default=None,
        key=lambda one: (one.at, one.value),
    )  # fmt: skip
    zones: dict[tuple[int, str], PartReading] = {}
    for one in counts:
        if one.part is not None and (whole is None or one.at > whole.at):
            held = zones.setdefault((one.at, one.part), one)
            zones[one.at, one.part] = max(held, one)
    return whole, [zones[key] for key in sorted(zones)]


def selling_zone(selling: Sequence[PartSetting], at: int) -> str | None:
    """The zone in which units move, by the description in force at `at`."""
    begun = [one for one in selling if one.valid_from <= at and one.part is not None]
    return max(begun, key=lambda one: one.valid_from).part if begun else None


# what is in no zone that was counted, from count to count
_WALK = f"""steps as (
        select n, quantity - coalesce(lag(quantity) over (partition by zone order by n), 0) as more,
            coalesce((
                select sum(delta) from stock_cell_change m
                where m.sku = k.sku and m.location_id = k.location_id and m.at >= c.since
                    and m.at < c.counted_at
            ), 0) as moved
        from (
            select *, coalesce(lag(counted_at) over (order by n), (select at from whole), {ALWAYS})
                as since
            from counted
        ) c
    ), walked(n, elsewhere) as (
        select 0::bigint, coalesce((select quantity from whole), 0)::numeric
        union all
        select s.n, w.elsewhere + s.moved - case
            when s.more > 0 then least(s.more, greatest(w.elsewhere + s.moved, 0))
            else greatest(s.more, least(w.elsewhere + s.moved, 0)) end
        from walked w join steps s on s.n = w.n + 1
    )"""


def newest_count(cell: str, until: str) -> str:
    """A SELECT of the newest count of a row `cell`, and of what is added up from there.

    Columns: event_id, counted_at, quantity, zone; base_at and base: changes at or after `base_at`
    are added to `base`. `until`: an SQL condition on the counts `{a}` that are looked at.
    """

    def of(a: str) -> str:
        same = f"{a}.sku = {cell}.sku and {a}.location_id = {cell}.location_id"
        return f"{same} and {until.format(a=a)}"

    return f"""
select k.event_id, k.counted_at, k.quantity, k.zone,
    coalesce(p.base_at, k.counted_at) as base_at, coalesce(p.base, k.quantity) as base
from (
    select k.event_id, k.counted_at, k.quantity, k.zone, k.sku, k.location_id
    from stock_count k where {of("k")}
    order by k.counted_at desc, k.zone is not null, k.quantity desc, k.event_id desc limit 1
) k left join lateral (
    with recursive whole as (
        select max(one.counted_at) as at, max(one.quantity) as quantity from (
            select w.counted_at, w.quantity from stock_count w where {of("w")} and w.zone is null
            order by w.counted_at desc, w.quantity desc limit 1
        ) one
    ), counted as (
        select z.zone, z.counted_at, max(z.quantity) as quantity,
            row_number() over (order by z.counted_at, z.zone) as n
        from stock_count z where {of("z")} and z.zone is not null
            and z.counted_at > coalesce((select at from whole), {ALWAYS})
        group by z.zone, z.counted_at
    ), latest as (
        select distinct on (zone) zone, counted_at, quantity from counted
        order by zone, counted_at desc
    ), seller as (
        select counted_at from latest where zone = (
            select s.zone from stock_selling_zone s
            where s.location_id = {location_sql("k.location_id")}
                and s.valid_from <= k.counted_at
            order by s.valid_from desc limit 1
        )
    ), {_WALK}
    select coalesce((select counted_at from seller), k.counted_at) as base_at,
        ((select sum(quantity) from latest) + case when exists (select from seller) then 0
            else (select elsewhere from walked order by n desc limit 1) end)::bigint as base
    where k.zone is not null
) p on true
"""


# of a row t of stock_cell
ON_HAND = f"""(
    select coalesce(b.base, 0) + coalesce((
        select sum(delta) from stock_cell_change m
        where m.sku = t.sku and m.location_id = t.location_id
            and m.at >= coalesce(b.base_at, {ALWAYS})
    ), 0)
    from (select) one left join lateral ({newest_count("t", "true")}) b on true
)"""
