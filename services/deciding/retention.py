"""Deletes old rows of the decision tables, in small batches.

- answers: after 30 days; a command that is sent again after that is decided again
- decisions with held amounts: `keep_days` of their declaration after they ended (released, expired,
  or their event applied); never one that still holds anything
- accepted claims of purchases: after 30 days; their events are applied by then
- expired lots: 30 days after the day on which their expiry was recorded
- outbox rows: 1 day after they were sent; unsent events stay

Several processes may delete concurrently: each skips rows that another one has locked.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from services.deciding.hold_statements import ENDED, declared
from services.runtime.db import Connection
from services.runtime.metrics import TRIMMED
from services.runtime.worker import Worker

AT_ONCE = 500
BREATH_SECONDS, PAUSE_SECONDS = 0.05, 60.0
TIMEOUT = "set statement_timeout = '5s'"


@dataclass(frozen=True, slots=True)
class Trim:
    """The rows of `table` to delete: those for which `old` is true, an SQL condition on alias `t`.

    `keep`: an interval, the value of its parameter %(keep)s.
    """

    table: str
    keep: str
    old: str

    @property
    def name(self) -> str:
        """The name of the table in metric labels."""
        return self.table.removeprefix("hitotsu.")

    def statement(self) -> bytes:
        """The statement that deletes a batch."""
        return (
            f"delete from {self.table} where ctid = any(array(select t.ctid from {self.table} t"
            f" where {self.old} limit {AT_ONCE} for update of t skip locked))"
        ).encode()


PAST = "clock_timestamp() - %(keep)s::interval"
TRIMS: tuple[Trim, ...] = (
    *(Trim(f"hitotsu.{held.decisions}", f"{held.keep_days} days", ENDED) for held in declared()),
    # the projections know the claim by then
    Trim("hitotsu.claim_decided", "30 days", f"t.decided_at < {PAST}"),
    # the projections know the decision by then
    Trim("hitotsu.settlement_decided", "30 days", f"t.decided_at < {PAST}"),
    # their events are applied by then; the daily expiry finds a lot that has points again
    Trim("hitotsu.points_expired", "30 days", f"t.expired_on < {PAST}"),
    Trim("hitotsu.answer", "30 days", f"t.created_at < {PAST}"),
    # the lowest ids were sent first, so only these are examined
    Trim(
        "hitotsu.outbox",
        "1 day",
        "t.id = any(array(select id from hitotsu.outbox order by id limit 1000))"
        f" and t.sent_at < {PAST}",
    ),
)


async def trim(connection: Connection, one: Trim) -> int:
    """Deletes old rows, batch by batch, until a batch is not full; returns how many."""
    many = 0
    while True:
        cursor = await connection.execute(one.statement(), {"keep": one.keep})
        many += cursor.rowcount
        TRIMMED.labels(one.name).inc(cursor.rowcount)
        if cursor.rowcount < AT_ONCE:
            return many
        await asyncio.sleep(BREATH_SECONDS)


class Trimming(Worker):
    """The background task that deletes old rows every minute, on its own connection.

    Every process `commands` runs it.
    """

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, "trimming", PAUSE_SECONDS)
        for one in TRIMS:
            TRIMMED.labels(one.name)

    async def turn(self, connection: Connection) -> None:
        await connection.execute(TIMEOUT)
        for one in TRIMS:
            await trim(connection, one)
