"""Stock as of an event time, and the movements behind it: SQL as text.

on_hand at T = the reading with the greatest counted_at <= T (of several then: the greatest one)
             + every change with counted_at <= at <= T  (all changes up to T when never read);
               where zones were counted, `zones.py` says from which figure and time on.

The other quantities are sums of their changes up to T. Late events count at their own time, so the
same query may give another answer once more have arrived. Times in microseconds since the epoch.
"""

from __future__ import annotations

from projections.core.columns import ALWAYS
from projections.shared_stock.zones import newest_count
from schemas.measures import location_sql

FOREVER = -ALWAYS

# the keys of an item's stock at a location, one for each unit
PLACES = f"""
select location_id from stock_cell
where sku = %(sku)s and {location_sql("location_id")} = %(location_id)s
order by location_id limit 1
"""

# the newest count up to `until` as r, and what moved since its base as m, of each cell c
COUNTED_AND_MOVED = f"""
left join lateral ({newest_count("c", "{a}.counted_at <= {{until}}")}) r on true
left join lateral (
    select count(*) as many, sum(delta) as delta from stock_cell_change
    where sku = c.sku and location_id = c.location_id
        and at >= coalesce(r.base_at, {ALWAYS}) and at <= {{until}}
) m on true
"""
# a cell that nothing had touched by then was not there
STANDING = f"""
select c.location_id, (coalesce(r.base, 0) + coalesce(m.delta, 0))::bigint as on_hand,
    coalesce(p.committed, 0)::bigint as committed,
    coalesce(p.unavailable, 0)::bigint as unavailable,
    coalesce(p.incoming, 0)::bigint as incoming, coalesce(m.delta, 0)::bigint as moved,
    r.event_id as counted_by, r.base_at as counted_at, r.base as counted, r.zone
from stock_cell c {COUNTED_AND_MOVED.format(until="%(at)s")}
left join lateral (
    select count(*) as many, sum(committed) as committed, sum(unavailable) as unavailable,
        sum(incoming) as incoming
    from stock_promise where sku = c.sku and location_id = c.location_id and at <= %(at)s
) p on true
where c.sku = %(sku)s and (%(location_id)s::text is null or c.location_id = %(location_id)s)
    and (r.counted_at is not null or m.many > 0 or p.many > 0)
order by c.location_id
"""
# on hand after a count of a zone, the row n of stock_count; of counts at one time those before it,
# as movements are listed, so that a page that ends between them adds up with the next
_UP_TO = """{a}.counted_at <= n.counted_at and ({a}.counted_at, {a}.quantity, {a}.event_id)
    <= (n.counted_at, n.quantity, n.event_id)"""
COUNTED_THEN = f"""(
    select b.base + coalesce((
        select sum(delta) from stock_cell_change m
        where m.sku = n.sku and m.location_id = n.location_id
            and m.at >= b.base_at and m.at < n.counted_at
    ), 0)::bigint
    from ({newest_count("n", _UP_TO)}) b
)"""
# a reading comes before what moved at its very time; of several readings the greatest comes last;
# `floor`: a page of changes alone reaches back so far, and nothing before it has to be read
MOVEMENTS = f"""
with floor as (
    select case when count(*) = %(limit)s then min(at) else {ALWAYS} end as at from (
        select distinct at, event_id from stock_cell_change
        where sku = %(sku)s and location_id = %(location_id)s and at <= %(at)s
            and (%(step)s::int is null or (at, 1, 0, event_id)
                < (%(at)s, %(step)s::int, %(counted)s::bigint, %(event_id)s::uuid))
        order by at desc, event_id desc limit %(limit)s
    ) newest
), page as (
    select * from (
        select event_id, counted_at as at, 0 as step, quantity as counted, 0::bigint as delta,
            0::bigint as committed, 0::bigint as unavailable, 0::bigint as incoming, zone,
            case when zone is null then quantity else {COUNTED_THEN} end as stood
        from stock_count n
        where sku = %(sku)s and location_id = %(location_id)s and counted_at <= %(at)s
            and counted_at >= (select at from floor)
        union all
        select event_id, at, 1, 0, sum(delta)::bigint, sum(committed)::bigint,
            sum(unavailable)::bigint, sum(incoming)::bigint, null, 0::bigint
        from (
            select event_id, at, delta, 0 as committed, 0 as unavailable, 0 as incoming
            from stock_cell_change
            where sku = %(sku)s and location_id = %(location_id)s and at <= %(at)s
                and at >= (select at from floor)
            union all
            select event_id, at, 0, committed, unavailable, incoming from stock_promise
            where sku = %(sku)s and location_id = %(location_id)s and at <= %(at)s
                and at >= (select at from floor)
        ) moved
        group by event_id, at
    ) every
    where %(step)s::int is null
        or (at, step, counted, event_id)
            < (%(at)s, %(step)s::int, %(counted)s::bigint, %(event_id)s::uuid)
    order by at desc, step desc, counted desc, event_id desc limit %(limit)s
)
select m.*, l.schema_id, t.name as topic, l.partition, l."offset"
from page m left join ledger l using (event_id) left join hitotsu.topic t on t.no = l.topic
order by m.at desc, m.step desc, m.counted desc, m.event_id desc
"""
_BEFORE = """{a}.counted_at <= %(at)s and ({a}.counted_at, 0, {a}.quantity, {a}.event_id)
    < (%(at)s, %(step)s::int, %(counted)s::bigint, %(event_id)s::uuid)"""
# on hand just before a movement
BEFORE = f"""
select (coalesce(r.base, 0) + coalesce((
    select sum(delta) from stock_cell_change
    where sku = %(sku)s and location_id = %(location_id)s
        and at >= coalesce(r.base_at, {ALWAYS}) and at <= %(at)s
        and (at, 1, 0, event_id)
            < (%(at)s, %(step)s::int, %(counted)s::bigint, %(event_id)s::uuid)
), 0))::bigint as on_hand
from (select %(sku)s::text as sku, %(location_id)s::text as location_id) c
left join lateral ({newest_count("c", _BEFORE)}) r on true
"""
