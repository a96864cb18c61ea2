"""SQL: which numbers of a till were seen or closed, and what the holes between them are.

A hole inside a closed day is missing. Another one is missing if it is small. Where it is wide, the
till began to number anew: after a closed day that is so told, else it is a discrepancy.
"""

from __future__ import annotations

from projections.terminal_gaps import closing, projection, receipts

WIDE = 1_000
"""A hole of more numbers than this is no row of lost receipts."""
CLOSED_RANGES = """
select system, store_id, terminal_id, epoch, day,
    int8range((ends ->> 0)::bigint, (ends ->> 1)::bigint, '[]') as numbers
from terminal_closing, json_array_elements(said::json -> 'ranges') as ends
"""
# by till and epoch: the numbers that were seen and those of closed days
NUMBERED = f"""
seen as (
    select system, store_id, terminal_id, epoch, range_agg(span) as seen
    from terminal_receipts, unnest(seen) as span
    where {{only}}
    group by system, store_id, terminal_id, epoch
),
closed as (
    select system, store_id, terminal_id, epoch, range_agg(numbers) as closed
    from ({CLOSED_RANGES}) as days
    where {{only}}
    group by system, store_id, terminal_id, epoch
),
numbered as (
    select system, store_id, terminal_id, epoch, coalesce(seen, '{{{{}}}}') as seen,
        coalesce(closed, '{{{{}}}}') as closed
    from seen full join closed using (system, store_id, terminal_id, epoch)
)
"""
# the holes outside of closed days
HOLES = "unnest(int8multirange(range_merge(seen + closed)) - seen - closed)"
MISSING = f"""
closed - seen + coalesce(
    (select range_agg(hole) from {HOLES} as hole where upper(hole) - lower(hole) <= {WIDE}),
    '{{}}'
)
"""
_NUMBERED = NUMBERED.format(only="true")
MISSING_IN_ALL = f"""
with {_NUMBERED}
select coalesce(sum(upper(gap) - lower(gap)), 0)::bigint
from numbered, lateral (select {MISSING} as missing) as lost, unnest(missing) as gap
"""
projection.measure("hitotsu_missing_receipt_numbers", MISSING_IN_ALL)
# a number that follows the last of a closed day may be anything, and so may one before the first
WIDE_HOLES = f"""
with {_NUMBERED}
select md5(concat_ws('|', 'numbering', system, store_id, terminal_id, epoch, hole))::uuid as id,
    'numbering' as kind, null::bigint as since, null as sku,
    nullif(store_id, '') as location_id, terminal_id as terminal, null::uuid as subject_id,
    null::uuid as event_id, upper(hole) - lower(hole) as quantity, null::bigint as open_after
from numbered, {HOLES} as hole
where upper(hole) - lower(hole) > {WIDE}
    and not closed @> lower(hole) - 1 and not closed @> upper(hole)
"""
projection.lists("discrepancies", ("numbering",), WIDE_HOLES, receipts, closing, has_subjects=False)
