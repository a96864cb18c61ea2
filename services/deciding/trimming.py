"""How long is what decisions keep kept? Old rows are deleted in small batches, now and then.

answer  30 days; a key that is sent again after that is decided anew
hold    30 days after it ended: released, past its time, or its promise applied; never one that
        still promises something
expired lot  30 days after the day on which it was written
outbox  1 day after it was sent; a fact that is not in Kafka stays
Several processes may trim at once: rows that another one is deleting are passed over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection

from services.deciding.answers import Connection
from services.runtime.db import conninfo
from services.runtime.logging import log
from services.runtime.metrics import TRIMMED

AT_ONCE = 500
BREATH_SECONDS, PAUSE_SECONDS = 0.05, 60.0
TIMEOUT = "set statement_timeout = '5s'"


@dataclass(frozen=True, slots=True)
class Trim:
    """Rows of `table` that are `old` (SQL about alias `t`, with the age as %(keep)s)."""

    table: str
    keep: str
    old: str

    def statement(self) -> bytes:
        """Deletes a batch."""
        return (
            f"delete from {self.table} where ctid = any(array(select t.ctid from {self.table} t"
            f" where {self.old} limit {AT_ONCE} for update of t skip locked))"
        ).encode()


PAST = "clock_timestamp() - %(keep)s::interval"
# whatever is held: the states that still promise something are `open`, in time, and the decided one
ENDED = (
    f"t.created_at < {PAST} and (t.state in ('released', 'expired', 'applied')"
    f" and greatest(t.resolved_at, t.created_at) < {PAST}"
    f" or t.state = 'open' and t.expires_at < {PAST})"
)
TRIMS: tuple[Trim, ...] = (
    Trim("hitotsu.stock_hold", "30 days", ENDED),
    Trim("hitotsu.points_hold", "30 days", ENDED),
    # by then its facts are applied: a lot that still holds something is looked at again
    Trim("hitotsu.points_expired", "30 days", f"t.expired_on < {PAST}"),
    Trim("hitotsu.answer", "30 days", f"t.created_at < {PAST}"),
    # the lowest ids were sent first: only they are looked at
    Trim(
        "hitotsu.outbox",
        "1 day",
        "t.id = any(array(select id from hitotsu.outbox order by id limit 1000))"
        f" and t.sent_at < {PAST}",
    ),
)


async def trim(connection: Connection, one: Trim) -> int:
    """Deletes everything that is old, batch by batch; how many rows."""
    many = 0
    while True:
        cursor = await connection.execute(one.statement(), {"keep": one.keep})
        many += cursor.rowcount
        TRIMMED.labels(one.table.removeprefix("hitotsu.")).inc(cursor.rowcount)
        if cursor.rowcount < AT_ONCE:
            return many
        await asyncio.sleep(BREATH_SECONDS)


class Trimming:
    """Trims all the time, on a connection of its own."""

    def __init__(self, dsn: str) -> None:
        self._conninfo = conninfo(dsn, name="trimming")
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins; Postgres need not be there yet."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends; what is left is for the next process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            try:
                async with await AsyncConnection.connect(
                    self._conninfo, autocommit=True
                ) as connection:
                    await connection.execute(TIMEOUT)
                    for one in TRIMS:
                        await trim(connection, one)
            except (psycopg.Error, OSError) as error:
                log.warning("trimming waits", error=type(error).__name__)
            await asyncio.sleep(PAUSE_SECONDS)
