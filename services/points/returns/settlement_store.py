"""Reads and stores the decisions on sales (`hitotsu.points_decided`), with their events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from uuid import UUID

from services.deciding import outbox
from services.points.returns.effective_balances import EffectiveBalances, expect, forgive
from services.points.returns.settlement import Judged, SettledLine
from services.runtime.db import Connection
from services.runtime.rows import rows_of

COLUMNS = tuple(one.name for one in fields(SettledLine))
BEFORE = f"""
select {", ".join(COLUMNS)} from hitotsu.points_decided where transaction_id = any(%s::uuid[])
"""
KEEP = f"""
insert into hitotsu.points_decided ({", ".join(COLUMNS)})
select * from unnest(%s::uuid[], %s::int[], %s::uuid[], %s::text[], %s::bigint[], %s::text[],
    %s::text[], %s::uuid[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::int[],
    %s::text[], %s::bigint[])
on conflict (transaction_id, line_no, program_id) do update
    set {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[2:])}
"""


async def earlier_decisions(
    connection: Connection, transactions: Sequence[UUID]
) -> dict[Judged, dict[int, SettledLine]]:
    """Stored decisions: by transaction id and program, then by line number."""
    found: dict[Judged, dict[int, SettledLine]] = defaultdict(dict)
    for row in await rows_of(connection, BEFORE, [list(transactions)]):
        key = row["transaction_id"], row["program_id"]
        found[key][row["line_no"]] = SettledLine(**row)
    return found


async def store_settlements(
    connection: Connection, rows: Iterable[SettledLine], here: EffectiveBalances
) -> None:
    """Stores decisions, forgiven points and events (outbox), in the caller's transaction.

    `here`: has the decided events and the forgiven points.
    """
    values = [astuple(row) for row in rows]
    if values:
        await connection.execute(KEEP, [list(column) for column in zip(*values)])
    await forgive(connection, here)
    await expect(connection, here.facts)
    await outbox.add(connection, here.facts)
