"""SQL: the days of tills, with what they closed and what was received, for `till_days.TillDay`.

A receipt belongs to the business date that it tells, else to that of its store's calendar, as
`schemas.calendars` says; here in SQL, because a measure reads two weeks of all stores.
"""

from __future__ import annotations

from projections.terminal_gaps import DAYS_NEAR
from schemas.calendars import APART, DEFAULT_ZONE

EPOCH = "date '1970-01-01'"
PLACE = """
place as (
    select location_id, valid_from, time_zone, day_starts_at,
        lead(valid_from) over (partition by location_id order by valid_from) as until
    from location
)
"""
# of a receipt `r`: its store's description then, the local date, and the date it belongs to
BUSINESS_DATE = f"""
left join place p on p.location_id = r.store_id and r.at >= p.valid_from
    and (p.until is null or r.at < p.until)
cross join lateral (
    select (
        timezone(coalesce(p.time_zone, '{DEFAULT_ZONE}'), to_timestamp(r.at / 1000000.0))
        - make_interval(mins => coalesce(p.day_starts_at, 0))
    )::date - {EPOCH} as local_day
) here
cross join lateral (
    select case when abs(r.told_day - here.local_day) <= {APART} then r.told_day
        else here.local_day end as business_day
) belongs
"""
TILL = "store_id, day, system, terminal_id, epoch"
# of receipts that are `dated`: their numbers, and their sums
SUMS = f"""rung as (
    select {TILL}, range_agg(int8range(sequence, sequence, '[]'))
        filter (where sequence is not null) as numbers
    from dated group by {TILL}
),
paid as (
    select {TILL}, json_agg(json_build_array(currency, kind, amount)) as tenders
    from (
        select {TILL}, currency, kind, sum(amount::bigint)::bigint as amount
        from dated, json_each_text(tenders::json) as tender(kind, amount)
        group by {TILL}, currency, kind
    ) sums group by {TILL}
),
taxed as (
    select {TILL}, json_agg(json_build_array(currency, rate, net, tax)) as taxes
    from (
        select {TILL}, currency, rate, sum((amounts ->> 0)::bigint)::bigint as net,
            sum((amounts ->> 1)::bigint)::bigint as tax
        from dated, json_each(taxes::json) as taxed(rate, amounts)
        group by {TILL}, currency, rate
    ) sums group by {TILL}
),
"""


def _silent_days(first: str, last: str, only: str) -> str:
    """The last part of the WITH clause of `till_days`."""
    return f"""
-- the day between two closed ones, if both leave out numbers and no other day is between
silent as (
    select store_id, day + 1 as day, system, terminal_id, epoch,
        json_build_array(json_build_array(last + 1, next_first - 1)) as lost
    from (
        select {TILL}, (said::json -> 'ranges' -> 0 ->> 1)::bigint as last,
            lead(day) over till as next_day, lead(first) over till as next_first
        from terminal_closing
        where day between {first} - 1 and {last} + 1 and first >= 0 and {only}
        window till as (partition by store_id, system, terminal_id, epoch order by day, first)
    ) pairs
    where next_day = day + 2 and next_first - last between 2 and 1001
        and day + 1 between {first} and {last}
)
"""


def till_days(first: str, last: str, only: str) -> str:
    """A SELECT of a row for each till, numbering and day from `first` to `last` (SQL expressions).

    `only`: a condition on `store_id`.
    """
    during = f"between {first} and {last}"
    return f"""
with {PLACE},
dated as (
    select r.store_id, belongs.business_day as day, r.system, r.terminal_id, r.epoch, r.sequence,
        r.currency, r.tenders, r.taxes
    from till_receipt r {BUSINESS_DATE}
    where r.day between {first} - {DAYS_NEAR} and {last} + {DAYS_NEAR} and {only}
        and belongs.business_day {during}
),
{SUMS}closed as (
    select {TILL}, json_agg(said order by first) as closings
    from terminal_closing where day {during} and {only} group by {TILL}
),
{_silent_days(first, last, only)}
select {TILL}, closings, tenders, taxes,
    (
        select json_agg(json_build_array(lower(span), upper(span) - 1)) from unnest(numbers) as span
    ) as numbers,
    case when closings is null and numbers is null then lost end as lost
from rung full join closed using ({TILL}) full join silent using ({TILL})
left join paid using ({TILL}) left join taxed using ({TILL})
"""
