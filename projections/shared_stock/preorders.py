"""Which preorders are covered by what is expected? The arithmetic in Python and in SQL. Pure.

A preorder is promised for a time. Units cover it that are expected by then, each unit one preorder;
the date is a day, so a day later is still in time. Units that are late are expected now at the
earliest. So from a day after the promised time on nothing that is expected covers it: it has to be
served from what is on hand.

    covered = least over every time t of (units expected by t + units preordered for after t)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

DAY = 86_400_000_000


class Expected(NamedTuple):
    """Units at one location, by the time at which they are expected (microseconds)."""

    expected_at: int
    incoming: int
    preordered: int


def covered(expected: Iterable[Expected], at: int) -> int:
    """Preordered units that units on their way cover, judged at a time (microseconds)."""
    units = list(expected)
    live = [one for one in units if one.preordered and one.expected_at + DAY > at]
    times = {one.expected_at for one in live}
    every = sum(one.preordered for one in live)
    return min([every, *(_by(units, t) + every - _promised(live, t) for t in times)])


def promisable(expected: Iterable[Expected], by: int, at: int) -> int:
    """Units that can still be preordered for `by`, without breaking a promise; at least 0."""
    units = list(expected)
    if by + DAY <= at:
        return 0
    live = [one for one in units if one.preordered and one.expected_at + DAY > at]
    times = {by, *(one.expected_at for one in live if one.expected_at >= by)}
    return max(0, min(_by(units, t) - _promised(live, t) for t in times))


def _by(expected: Iterable[Expected], time: int) -> int:
    return sum(one.incoming for one in expected if one.expected_at <= time + DAY)


def _promised(live: Iterable[Expected], time: int) -> int:
    return sum(one.preordered for one in live if one.expected_at <= time)


# (sku, location_id, preordered) of the items `{of}`, judged at the time `{at}` in microseconds
COVERED = f"""
select l.sku, l.location_id, least(sum(l.units), min(l.units_after + (
    select coalesce(sum(q.incoming), 0) from stock_expected q where q.sku = l.sku
        and q.location_id = l.location_id and q.expected_at <= l.expected_at + {DAY}
)))::bigint as preordered
from (
    select sku, location_id, expected_at, sum(preordered) as units,
        sum(sum(preordered)) over (partition by sku, location_id)
        - sum(sum(preordered)) over (partition by sku, location_id order by expected_at)
            as units_after
    from stock_expected
    where {{of}} and preordered > 0 and expected_at + {DAY} > {{at}}
    group by sku, location_id, expected_at
) l group by l.sku, l.location_id
"""
NOW = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
