"""The measure of business days that stay incomplete.

Days are counted from the second day after them, so that what is late has a day to arrive, and for
two weeks. A till without a closing counts if it has ever closed a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from projections.terminal_gaps import projection
from projections.terminal_gaps.day_rows import till_days
from projections.terminal_gaps.till_days import till_day

LATE_DAYS, WATCHED_DAYS = 2, 15
TODAY = "((extract(epoch from now())::bigint + 32400) / 86400)::int"  # in the default zone
COLUMNS = (
    "store_id", "day", "system", "terminal_id", "epoch", "closings", "numbers", "lost", "tenders",
    "taxes", "closes",
)  # fmt: skip
DAYS = f"""
select {", ".join(COLUMNS[:-1])},
    exists (
        select from terminal_closing c where c.store_id = days.store_id
            and c.system = days.system and c.terminal_id = days.terminal_id
    ) as closes
from ({till_days(f"({TODAY} - {WATCHED_DAYS})", f"({TODAY} - {LATE_DAYS})", "true")}) days
"""


def incomplete_days(rows: Iterable[tuple[Any, ...]]) -> int:
    """How many business days of stores are not complete; `rows`: of `DAYS`."""
    found = set()
    for values in rows:
        row = dict(zip(COLUMNS, values, strict=True))
        till = till_day(row)
        if row["closes"] and till.lacks:
            found.add((till.store_id, till.day))
    return len(found)


projection.measure("hitotsu_incomplete_business_days", DAYS, incomplete_days)
