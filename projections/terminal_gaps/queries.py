"""The query of missing receipt numbers."""

from __future__ import annotations

from pydantic import BaseModel

from projections.core import Page, Read
from projections.terminal_gaps import business_days as _business_days  # noqa: F401
from projections.terminal_gaps import closing, projection, receipts
from projections.terminal_gaps import day_watch as _day_watch  # noqa: F401
from projections.terminal_gaps import odd_stamps as _odd_stamps  # noqa: F401
from projections.terminal_gaps.answers import Gap
from projections.terminal_gaps.number_holes import MISSING, NUMBERED
from schemas.fields import AskedLocation

OF_STORE = "(%(store_id)s::text is null or store_id = %(store_id)s)"
GAPS = f"""
with {NUMBERED.format(only=OF_STORE)}
select system, store_id, terminal_id, epoch,
    lower(seen + closed) as lowest, upper(seen + closed) - 1 as highest,
    array(select lower(gap) from unnest(missing) gap order by 1) as starts,
    array(select upper(gap) - 1 from unnest(missing) gap order by 1) as ends
from numbered, lateral (select {MISSING} as missing) as lost
where (system, store_id, terminal_id, epoch)
    > (%(system)s, %(after_store)s, %(terminal_id)s, %(epoch)s)
order by system, store_id, terminal_id, epoch
limit %(limit)s
"""


class TerminalGaps(BaseModel):
    """A till's lowest and highest receipt number, seen or closed, and those missing between
    (`missing`: how many). A wide hole outside of closed days is not missing: the till began anew.

    `epoch`: a till has a new one when it begins to number anew. Where it begins anew without one,
    a number that came on any day is not missing here; its business days know each day's.
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
    read: Read, page: Page, store_id: AskedLocation | None = None
) -> list[TerminalGaps]:
    """All tills, with their missing receipt numbers."""
    limit, after = page.limit, page.after
    system, after_store, terminal_id, epoch = after or ["", "", "", -1]
    rows = await read.select(
        [receipts, closing],
        GAPS,
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
