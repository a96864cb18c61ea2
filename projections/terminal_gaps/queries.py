"""The query and the measure of missing receipt numbers."""

from __future__ import annotations

from pydantic import BaseModel

from projections.core import Page, Read
from projections.terminal_gaps import projection, receipts

MISSING = """
with terminal as (
    select system, store_id, terminal_id, epoch, range_agg(span) as seen
    from terminal_receipts, unnest(seen) as span
    where (%(store_id)s::text is null or store_id = %(store_id)s)
    group by system, store_id, terminal_id, epoch
)
select system, store_id, terminal_id, epoch, lower(seen) as lowest, upper(seen) - 1 as highest,
       array(select lower(gap) from unnest(holes) gap order by 1) as starts,
       array(select upper(gap) - 1 from unnest(holes) gap order by 1) as ends
from terminal, lateral (select int8multirange(range_merge(seen)) - seen as holes) as missing
where (system, store_id, terminal_id, epoch)
    > (%(system)s, %(after_store)s, %(terminal_id)s, %(epoch)s)
order by system, store_id, terminal_id, epoch
limit %(limit)s
"""

MISSING_IN_ALL = """
with terminal as (
    select range_agg(span) as seen from terminal_receipts, unnest(seen) as span
    group by system, store_id, terminal_id, epoch
)
select coalesce(sum(upper(gap) - lower(gap)), 0)::bigint
from terminal, unnest(int8multirange(range_merge(seen)) - seen) as gap
"""
projection.measure("hitotsu_missing_receipt_numbers", MISSING_IN_ALL)


class Gap(BaseModel):
    """A range of missing receipt numbers, from `first` to `last` inclusive."""

    first: int
    last: int


class TerminalGaps(BaseModel):
    """A till's lowest and highest receipt number, and those missing between (`missing`: how many).

    `epoch`: a till has a new one when it begins to number anew.
    """

    system: str
    store_id: str
    terminal_id: str
    epoch: int
    lowest: int
    highest: int
    missing: int
    gaps: list[Gap]


@projection.query("/v1/terminals/gaps", scope="stock:read")
async def missing_receipts(
    read: Read, page: Page, store_id: str | None = None
) -> list[TerminalGaps]:
    """All tills, with their missing receipt numbers."""
    limit, after = page.limit, page.after
    system, after_store, terminal_id, epoch = after or ["", "", "", -1]
    rows = await read.select(
        [receipts],
        MISSING,
        store_id=store_id,
        system=system,
        after_store=after_store,
        terminal_id=terminal_id,
        epoch=epoch,
        limit=limit + 1,
    )
    if len(rows) > limit:
        last = rows[limit - 1]
        read.more([last["system"], last["store_id"], last["terminal_id"], last["epoch"]])
    found = []
    for row in rows[:limit]:
        gaps = [
            Gap(first=first, last=last)
            for first, last in zip(row.pop("starts"), row.pop("ends"), strict=True)
        ]
        missing = sum(gap.last - gap.first + 1 for gap in gaps)
        found.append(TerminalGaps(**row, missing=missing, gaps=gaps))
    return found
