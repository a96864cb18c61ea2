"""Gives points for sales by the rules of the programs that give points by rules.

A batch of sales from `hitotsu.points_due` is judged in one transaction under the members' advisory
locks: it reads the earlier decisions on these sales, and stores the new decisions and their events.
Judging a sale again appends only the difference from its earlier decision.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import psycopg

from schemas.calendars import MOVED_MAX
from services.following.background_task import BackgroundTask
from services.points.background.sales_feed import sales_feed
from services.points.program.calendar import months_after
from services.points.program.earned_day import day_of
from services.points.program.programs import USUAL, Programs
from services.points.program.sales import rank_months, rules_earn, sales_of
from services.points.program.sold_lines import EarningSale
from services.points.returns import settlement_store
from services.points.returns.effective_balances import (
    EffectiveBalances,
    delete_applied_entries,
    lock_balances,
)
from services.points.returns.settlement import Judged, Judgement, SettledLine
from services.points.returns.terms import terms_of
from services.runtime.db import RETRYABLE, Connection
from services.runtime.logging import log
from services.runtime.metrics import POINTS_ASIDE, POINTS_JUDGED
from services.runtime.rows import rows_of

AT_ONCE = 200
LOOK_SECONDS, RULES_SECONDS = 0.1, 1.0
AWAY = (*RETRYABLE, psycopg.OperationalError, psycopg.InterfaceError)
DUE = """
select transaction_id from hitotsu.points_due where failed is null
order by since, transaction_id limit %s
"""
DONE = "delete from hitotsu.points_due where transaction_id = any(%s::uuid[])"
# sales are applied in any order: those that were judged without an earlier one are judged again
LATER = """
insert into hitotsu.points_due (transaction_id)
select distinct d.transaction_id
from unnest(%s::uuid[], %s::bigint[], %s::bigint[]) as x(profile_id, since, until)
cross join lateral (
    select transaction_id from sale
    where owner_id = x.profile_id and occurred_at >= x.since and occurred_at < x.until
    union select transaction_id from purchase_claim where profile_id = x.profile_id
) bought
join hitotsu.points_decided d on d.transaction_id = bought.transaction_id
    and d.sold_at >= x.since and d.sold_at < x.until
on conflict (transaction_id) do update set failed = null
"""
ASIDE = "update hitotsu.points_due set failed = %s where transaction_id = %s"


class Accrual(BackgroundTask):
    """Follows the log and judges due sales, in the one process that is elected leader.

    It does neither before a program has rules that give points.
    """

    def __init__(
        self,
        dsn: str,
        kafka: str,
        group: str,
        kick: Callable[[], None],
        ready: Callable[[], bool] = lambda: True,
        programs: Programs = USUAL,
    ) -> None:
        """`group`: the projection group whose tables are read. `kick`: triggers the outbox.

        `ready`: returns whether these tables are complete, that is, not being built.
        """
        super().__init__(dsn, "points-accrual", LOOK_SECONDS, group, ready)
        self._group, self._kick, self._programs = group, kick, programs
        self._sales = sales_feed(kafka, group)
        self._needed, self._looked_at = False, -RULES_SECONDS

    async def stop(self) -> None:
        """Cancels the task, which rolls back an open transaction; closes the Kafka consumer."""
        await super().stop()
        await self._sales.close()

    def reset(self) -> None:
        self._sales.reset()

    async def round(self, connection: Connection) -> bool:
        """Reads one batch of the log and judges at most `AT_ONCE` sales.

        Returns whether there may be more to do, so that the next round comes without a pause.
        """
        if not await self._has_rules(connection):
            return False
        followed = await self._sales.follow(connection)
        rows = await rows_of(connection, DUE, [AT_ONCE])
        due = [row["transaction_id"] for row in rows]
        await self._judge(connection, due)
        await delete_applied_entries(connection)
        if due:
            self._kick()
        return followed or len(due) == AT_ONCE

    async def _has_rules(self, connection: Connection) -> bool:
        """Whether a program had rules that give points; looks at most once a second."""
        now = time.monotonic()
        if not self._needed and now - self._looked_at >= RULES_SECONDS:
            self._needed, self._looked_at = await rules_earn(connection), now
        return self._needed

    async def _judge(self, connection: Connection, due: list[UUID]) -> None:
        """Judges all in one transaction; if that fails, each in its own, so that one sale cannot
        block others. A sale that fails alone is put aside: `failed` says why.
        """
        try:
            await judge(connection, self._group, due, self._programs)
            return
        except AWAY:
            raise  # Postgres is away for a while: the whole batch is judged again later
        except Exception as error:
            log.error("sales_judged_one_by_one", error=type(error).__name__)
        for transaction_id in due:
            try:
                await judge(connection, self._group, [transaction_id], self._programs)
            except AWAY:
                raise
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
                log.error("sale_put_aside", transaction_id=str(transaction_id), error=said)
                await connection.execute(ASIDE, [said, transaction_id])
                POINTS_ASIDE.inc()


async def judge(
    connection: Connection,
    group: str,
    due: list[UUID],
    programs: Programs = USUAL,
    correlation_id: UUID | None = None,
) -> EffectiveBalances | None:
    """Judges these sales in one transaction, after which they are no longer due.

    Returns their members' points with the events decided; None if there are no sales.
    `correlation_id`: what the events' envelopes get.
    """
    if not due:
        return None
    async with connection.transaction():
        await connection.execute(DONE, [due])
        return await _judged(connection, group, due, programs, correlation_id)


async def _judged(
    connection: Connection,
    group: str,
    due: list[UUID],
    programs: Programs,
    correlation_id: UUID | None,
) -> EffectiveBalances:
    known = await sales_of(connection, due)
    sales = [one for one in known.values() if one.profile_id]
    here = await lock_balances(
        connection, [one.profile_id for one in sales if one.profile_id], group, programs
    )
    before = await settlement_store.earlier_decisions(
        connection, [one.transaction_id for one in sales]
    )
    terms = await terms_of(connection, sales, before, here)
    rows: list[SettledLine] = []
    by_id = {sale.transaction_id: sale for sale in sales}
    order = sorted(terms, key=lambda key: (by_id[key[0]].occurred_at, *key))
    for transaction_id, name in order:
        sale, own = by_id[transaction_id], terms[transaction_id, name]
        assert sale.profile_id is not None
        if not own.earns:
            continue  # the producer gave this sale's points, and takes them back on a return
        judgement = Judgement(
            sale, own, before.get((transaction_id, name), {}),
            here.holder(sale.profile_id, own.program), here.at,
        )  # fmt: skip
        judgement.earn()
        judgement.give_and_take()
        found = judgement.judged()
        rows += found.decided.values()
        here.tell(found.facts)
        here.forgive(sale.profile_id, found.forgiven, own.program)
    if correlation_id is not None:
        for fact in here.facts:
            fact.meta.correlation_id = correlation_id.bytes
    await settlement_store.store_settlements(connection, rows, here)
    known_before = {transaction_id for transaction_id, _ in before}
    await _judge_ranks_again(
        connection, [one for one in sales if one.transaction_id not in known_before], here.members
    )
    limited = [
        (by_id[key[0]], day_of(by_id[key[0]], own.rules)[1])
        for key, own in terms.items()
        if own.day and _earns_otherwise(key, rows, before.get(key, {}))
    ]
    await _judge_later(connection, limited, here.members)
    POINTS_JUDGED.inc(len(sales))
    return here


async def _judge_ranks_again(
    connection: Connection,
    new: Sequence[EarningSale],
    members: Mapping[UUID, Sequence[UUID]],
) -> None:
    """Records as due the later sales whose member's rank may depend on the sales `new`.

    `members`: the profiles of a member, by profile.
    """
    months = await rank_months(connection) if new else 0
    if not months:
        return
    rows = [
        (profile, *_with_moved(months_after(sale.in_force_at, months)))
        for sale in new
        if sale.profile_id is not None
        for profile in members.get(sale.profile_id, (sale.profile_id,))
    ]
    await connection.execute(LATER, [list(column) for column in zip(*rows)])


def _with_moved(during: tuple[int, int]) -> tuple[int, int]:
    """A range of instants, wider by as much as a business date can move a sale's instant."""
    return during[0] - MOVED_MAX, during[1] + MOVED_MAX


def _earns_otherwise(
    judged: Judged, rows: Sequence[SettledLine], told: Mapping[int, SettledLine]
) -> bool:
    """Whether a line of the sale was given other points in the program than before, by `rows`."""
    return any(
        row.points != (told[row.line_no].points if row.line_no in told else 0)
        for row in rows
        if (row.transaction_id, row.program_id) == judged
    )


async def _judge_later(
    connection: Connection,
    sales: Sequence[tuple[EarningSale, int]],
    members: Mapping[UUID, Sequence[UUID]],
) -> None:
    """Records as due the member's later sales of a day, of which these use up the limit anew.

    `sales`: each with the end of its day.
    """
    rows = [
        (profile, sale.occurred_at, end + MOVED_MAX)
        for sale, end in sales
        if sale.profile_id is not None
        for profile in members.get(sale.profile_id, (sale.profile_id,))
    ]
    if rows:
        await connection.execute(LATER, [list(column) for column in zip(*rows)])
