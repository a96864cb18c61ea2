"""Gives points for sales by the program's rules: due sales are judged in one transaction.

Earlier decisions, the new result and its events are read and stored in that transaction, under the
members' advisory locks. So a sale is judged once, and judging it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import psycopg

from services.following.background_task import BackgroundTask
from services.points.background.sales_feed import sales_feed
from services.points.program.sales import sales_of
from services.points.returns import settlement_store
from services.points.returns.effective_balances import delete_applied_entries, lock_balances
from services.points.returns.settlement import Judgement, SettledLine
from services.points.returns.terms import terms_of
from services.runtime.db import RETRYABLE, Connection
from services.runtime.logging import log
from services.runtime.metrics import POINTS_ASIDE, POINTS_JUDGED
from services.runtime.rows import rows_of

AT_ONCE = 200
LOOK_SECONDS = 0.1
AWAY = (*RETRYABLE, psycopg.OperationalError, psycopg.InterfaceError)
DUE = """
select transaction_id, owner_id from hitotsu.points_due where failed is null
order by since, transaction_id limit %s
"""
DONE = "delete from hitotsu.points_due where transaction_id = any(%s::uuid[])"
ASIDE = "update hitotsu.points_due set failed = %s where transaction_id = %s"


class Accrual(BackgroundTask):
    """Follows the log and judges due sales; one process at a time (leader election)."""

    def __init__(
        self,
        dsn: str,
        kafka: str,
        group: str,
        kick: Callable[[], None],
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """`group`: whose tables are read; `kick` is called when the outbox has events to send.

        `ready`: whether these tables are complete (not being built).
        """
        super().__init__(dsn, "points-accrual", LOOK_SECONDS, group, ready)
        self._group, self._kick = group, kick
        self._sales = sales_feed(kafka, group)

    async def stop(self) -> None:
        """Stops between two transactions."""
        await super().stop()
        await self._sales.close()

    def reset(self) -> None:
        self._sales.reset()

    async def round(self, connection: Connection) -> bool:
        """Reads the log once and judges one batch of sales; returns whether there may be more."""
        followed = await self._sales.follow(connection)
        rows = await rows_of(connection, DUE, [AT_ONCE])
        due = {row["transaction_id"]: row["owner_id"] for row in rows}
        await self._judge(connection, due)
        await delete_applied_entries(connection)
        if due:
            self._kick()
        return followed or len(due) == AT_ONCE

    async def _judge(self, connection: Connection, due: dict[UUID, UUID]) -> None:
        """Judges all in one transaction; if that fails, one by one, so that one sale cannot block
        others.
        """
        try:
            await judge(connection, self._group, due)
            return
        except AWAY:
            raise  # it passes, and all of it is judged again
        except Exception as error:
            log.error("sales_judged_one_by_one", error=type(error).__name__)
        for transaction_id, owner_id in due.items():
            try:
                await judge(connection, self._group, {transaction_id: owner_id})
            except AWAY:
                raise
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
                log.error("sale_put_aside", transaction_id=str(transaction_id), error=said)
                await connection.execute(ASIDE, [said, transaction_id])
                POINTS_ASIDE.inc()


async def judge(connection: Connection, group: str, due: dict[UUID, UUID]) -> None:
    """Judges these sales, looked up by their owners, in one transaction."""
    if due:
        async with connection.transaction():
            await connection.execute(DONE, [list(due)])
            await _judged(connection, group, due)


async def _judged(connection: Connection, group: str, due: dict[UUID, UUID]) -> None:
    known = await sales_of(connection, due, due.values())
    sales = [one for one in known.values() if one.profile_id]
    here = await lock_balances(
        connection, [one.profile_id for one in sales if one.profile_id], group
    )
    before = await settlement_store.earlier_decisions(
        connection, [one.transaction_id for one in sales]
    )
    terms = await terms_of(connection, sales, before, here, rules_earn=True)
    rows: list[SettledLine] = []
    for sale in sorted(sales, key=lambda one: (one.occurred_at, one.transaction_id)):
        assert sale.profile_id is not None
        if not terms[sale.transaction_id].earns:
            continue  # who gave its points takes them back as well
        judgement = Judgement(
            sale, terms[sale.transaction_id], before.get(sale.transaction_id, {}),
            here.holder(sale.profile_id), here.at,
        )  # fmt: skip
        judgement.earn()
        judgement.give_and_take()
        found = judgement.judged()
        rows += found.decided.values()
        here.tell(found.facts)
        here.forgive(sale.profile_id, found.forgiven)
    await settlement_store.store_settlements(connection, rows, here)
    POINTS_JUDGED.inc(len(sales))
