"""Queries about terminals with a wrong clock."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from projections.core import Page, Read
from projections.core.instants import instant
from projections.terminal_clocks import clocks, projection
from schemas.fields import AskedLocation

WRONG = """
select system, store_id, terminal_id, clock_offset, first_seen, last_seen, events
from terminal_clock
where (%(store_id)s::text is null or store_id = %(store_id)s)
    and (system, store_id, terminal_id) > (%(system)s, %(after_store)s, %(after_terminal)s)
order by system, store_id, terminal_id
limit %(limit)s
"""

WRONG_LATELY = """
select count(*) from terminal_clock
where last_seen > extract(epoch from now() - interval '1 hour') * 1000000
"""
projection.measure("hitotsu_terminals_with_wrong_clocks", WRONG_LATELY)
projection.lists(
    "discrepancies",
    ("clock",),
    """
select md5(concat_ws('|', 'clock', system, store_id, terminal_id))::uuid as id, 'clock' as kind,
    first_seen as since, null as sku, nullif(store_id, '') as location_id, terminal_id as terminal,
    null::uuid as subject_id, null::uuid as event_id, events as quantity,
    last_seen as open_after
from terminal_clock
""",
    clocks,
    has_subjects=False,
)


class TerminalClock(BaseModel):
    """A terminal that sent events by a clock that was wrong by more than two minutes.

    `store_id` and `terminal_id` are empty where the producer names none.
    """

    system: str
    store_id: str
    terminal_id: str
    offset_seconds: float = Field(
        description="True time minus told time, of the newest such event. Where the producer did"
        " not send its time: how far the event lay after its arrival, as a negative number."
    )
    first_seen: datetime = Field(description="Arrival of the first such event.")
    last_seen: datetime = Field(description="Arrival of the newest such event.")
    events: int = Field(description="Number of such events.")


@projection.query("/v1/terminals/clocks", scope="stock:read")
async def wrong_clocks(
    read: Read, page: Page, store_id: AskedLocation | None = None
) -> list[TerminalClock]:
    """Terminals whose clock was wrong by more than two minutes."""
    limit, after = page.limit, page.after
    system, after_store, after_terminal = after or ["", "", ""]
    rows = await read.select(
        [clocks],
        WRONG,
        store_id=store_id,
        system=system,
        after_store=after_store,
        after_terminal=after_terminal,
        limit=limit + 1,
    )
    if len(rows) > limit:
        last = rows[limit - 1]
        read.more([last["system"], last["store_id"], last["terminal_id"]])
    return [
        TerminalClock(
            system=row["system"],
            store_id=row["store_id"],
            terminal_id=row["terminal_id"],
            offset_seconds=row["clock_offset"] / 1_000_000,
            first_seen=instant(row["first_seen"]),
            last_seen=instant(row["last_seen"]),
            events=row["events"],
        )
        for row in rows[:limit]
    ]
