"""Receipts whose time or business date cannot be right, as discrepancies `clock`. In SQL.

Their times stay as they were told. A told business date that is more than two days from the time
is not used; a receipt that is stamped before its till's last closed day, although its number comes
after receipts of a later day, counts on the day of its stamp.
"""

from __future__ import annotations

from projections.catalog import location
from projections.terminal_gaps import BLOCK, closing, projection, receipts, till_receipt
from projections.terminal_gaps.day_rows import BUSINESS_DATE, PLACE
from projections.terminal_gaps.number_holes import CLOSED_RANGES
from schemas.calendars import APART

NEAR = 20
"""How many numbers before a receipt its neighbours are looked for."""
DISCREPANCY = """
select md5(concat_ws('|', 'clock', '{what}', r.event_id))::uuid as id, 'clock' as kind,
    r.at as since, null as sku, nullif(r.store_id, '') as location_id,
    nullif(r.terminal_id, '') as terminal, null::uuid as subject_id, r.event_id,
    null::bigint as quantity, null::bigint as open_after
"""
FAR_DATES = f"""
with {PLACE}
{DISCREPANCY.format(what="date")}
from till_receipt r {BUSINESS_DATE}
where r.odd_day is not null and abs(r.told_day - here.local_day) > {APART}
"""
TILL = "system, store_id, terminal_id, epoch"
# A run of numbers of one day that no closing of that day has, while numbers before it were received
# on a later day. It belongs to a closing of a later day, on which it was not received, or follows
# all closings. A till that starts anew each day has numbers before it on its own day, mostly.
# `lacking`: closed days of which a number did not come. They are few; to compare each run with all
# days of a till that starts anew would cost days times days.
BEFORE_CLOSED_DAYS = f"""
with {PLACE},
closed as (
    select {TILL}, day, range_agg(numbers) as closed from ({CLOSED_RANGES}) days
    group by {TILL}, day
),
closes as (
    select {TILL}, min(lower(closed)) as first, max(upper(closed)) - 1 as last,
        max(day) as last_day
    from closed group by {TILL}
),
stamped as (
    select {TILL}, day, range_agg(span) as numbers
    from closes join terminal_receipts using ({TILL}), unnest(seen) as span
    where block >= first / {BLOCK}
    group by {TILL}, day
),
lacking as materialized (
    select c.*, coalesce(s.numbers, '{{}}') as numbers
    from closed c left join stamped s using ({TILL}, day)
    where not coalesce(s.numbers, '{{}}') @> c.closed
),
runs as materialized (
    select s.*, run, c.first
    from stamped s join closes c using ({TILL}) left join closed d using ({TILL}, day),
        unnest(s.numbers - coalesce(d.closed, '{{}}')) as run
    where s.day < c.last_day and lower(run) > c.first
        and not s.numbers && int8range(lower(run) - {NEAR}, lower(run))
),
late as (
    select * from runs r where exists (
        select from terminal_receipts l, unnest(l.seen) as span
        where (l.system, l.store_id, l.terminal_id, l.epoch)
            = (r.system, r.store_id, r.terminal_id, r.epoch) and l.day > r.day
            and l.block between greatest(lower(r.run) - {NEAR}, r.first) / {BLOCK}
                and lower(r.run) / {BLOCK}
            and span && int8range(lower(r.run) - {NEAR}, lower(r.run))
    ) and (
        lower(r.run) > (
            select last from closes c where (c.system, c.store_id, c.terminal_id, c.epoch)
                = (r.system, r.store_id, r.terminal_id, r.epoch)
        ) or exists (
            select from lacking d
            where (d.system, d.store_id, d.terminal_id, d.epoch)
                = (r.system, r.store_id, r.terminal_id, r.epoch) and d.day > r.day
                and d.closed && r.run and not d.numbers && r.run
        )
    )
)
{DISCREPANCY.format(what="number")}
from late join closes c using ({TILL})
join till_receipt r on r.day = late.day and r.store_id = late.store_id and r.system = late.system
    and r.terminal_id = late.terminal_id and r.epoch = late.epoch and late.run @> r.sequence
{BUSINESS_DATE}
where belongs.business_day < c.last_day
"""
projection.lists("discrepancies", ("clock",), FAR_DATES, till_receipt, location, has_subjects=False)
projection.lists(
    "discrepancies", ("clock",), BEFORE_CLOSED_DAYS, receipts, closing, till_receipt, location,
    has_subjects=False,
)  # fmt: skip
