"""Reads held amounts for many concurrent readers with one query at a time (request coalescing).

A question that arrives while a query runs joins the next query. So its answer is never older than
the question. A connection is reserved for each kind of hold, since getting a connection from the
pool costs as much as the query.

A hold ends in the transaction that applies its event, but a reader may have read its rows before
that, for example in Redis. So holds that ended after the reader's position are returned too. They
count unless the reader's rows include their event: by the row's version, or by the event id.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow

from projections.core import HeldAmounts
from projections.core.sql import quoted
from projections.core.tables import Table
from services.reading.database import CONNECT_SECONDS, DOWN, PostgresAway, away
from services.reading.position import Position, topic_of
from services.runtime.arrays import Array, array
from services.runtime.db import Pool
from services.runtime.groups import LIVE
from services.runtime.logging import log

ANSWER_SECONDS = 2.0
# ended holds are searched only in partitions whose checkpoint is past the reader's position
_STATEMENT = """
select {sums_by}, {sum}, null::{mark_type}
from hitotsu.{sums} where {sums_key} = any(%(keys)s::{key_type}[])
union all
select {by}, h.{amount}, h.{mark}
from hitotsu.checkpoint c
left join unnest(%(partitions)s::int[], %(offsets)s::bigint[]) as seen(partition, next_offset)
    on seen.partition = c.partition,
lateral (
    select * from hitotsu.{decisions} h where h.state = 'applied'
        and h.applied_partition = c.partition and h.applied_offset > coalesce(seen.next_offset, 0)
) h
where c.grp = %(group)s and c.topic = '{topic}' and c.next_offset > coalesce(seen.next_offset, 0)
    and {key} = any(%(keys)s::{key_type}[]){but}
"""
Keys = Collection[Hashable]


@dataclass(slots=True)
class Question:
    """A request for rows whose first column is among `keys`; `position`: of the reader's rows."""

    keys: Keys
    position: Position
    answer: asyncio.Future[list[TupleRow]]


class QueryCoalescer:
    """Coalesces questions that one statement answers.

    `topic`: of the events that end such holds. `group`: the projection group that applies them.
    `key_type`: the Postgres type of the keys.
    """

    def __init__(
        self, pool: Pool, statement: str, topic: str = "", group: str = LIVE, key_type: str = "text"
    ) -> None:
        self._pool, self._statement = pool, statement.encode()
        self._key_type = key_type
        self._topic, self._group = topic, group
        self._waiting: list[Question] = []
        self._loop: asyncio.AbstractEventLoop
        self._connection: AsyncConnection[TupleRow] | None = None
        self._cursor: AsyncCursor[TupleRow] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._closed = False
        self._due: deque[tuple[float, asyncio.Future[list[TupleRow]]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._last: tuple[Position, dict[str, Array]] | None = None

    async def rows(self, keys: Keys, position: Position | None = None) -> list[TupleRow]:
        """The present rows with these keys; raises `PostgresAway` after `ANSWER_SECONDS`, or if
        Postgres is away.

        `position`: of the rows that the caller has read. The object must not be modified later.
        """
        if self._asking is None:
            # asked for once a round: each call of get_running_loop is a system call (getpid)
            self._loop = asyncio.get_running_loop()
            self._asking = self._loop.create_task(self._rounds())
        loop = self._loop
        answer: asyncio.Future[list[TupleRow]] = loop.create_future()
        self._waiting.append(Question(keys, position or {}, answer))
        while self._due and self._due[0][1].done():
            self._due.popleft()
        self._due.append((loop.time() + ANSWER_SECONDS, answer))
        if self._timer is None:
            self._timer = loop.call_later(ANSWER_SECONDS, self._end_late)
        return await answer

    async def close(self) -> None:
        """Returns the connection to the pool, after a query that is still running."""
        self._closed = True
        if self._asking is None:
            await self._let_go()

    async def _rounds(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting, []
            try:
                found = await self._found(self._values(asked))
                by_key: dict[Hashable, list[TupleRow]] = defaultdict(list)
                for row in found:
                    by_key[row[0]].append(row)
                for one in asked:
                    if not one.answer.done():  # done: the request was cancelled or timed out
                        one.answer.set_result(
                            [row for key in dict.fromkeys(one.keys) for row in by_key.get(key, ())]
                        )
            except Exception as error:  # fails all questions of this round; the next round goes on
                self._told(asked, error)
        self._asking = None
        if self._closed:
            await self._let_go()

    def _end_late(self) -> None:
        """Fails questions that waited too long; a single timer is set for the oldest question."""
        self._timer, now = None, self._loop.time()
        while self._due and (self._due[0][1].done() or self._due[0][0] <= now):
            _, answer = self._due.popleft()
            if not answer.done():
                answer.set_exception(PostgresAway("no answer in time"))
        if self._due:
            self._timer = self._loop.call_at(self._due[0][0], self._end_late)

    def _values(self, asked: Sequence[Question]) -> dict[str, Any]:
        """The statement's parameters: all keys, and the lowest offsets of all positions.

        So a reader may get ended holds that its rows include already; `beside` drops these.
        """
        keys = {key for one in asked for key in one.keys}
        positions = list({id(one.position): one.position for one in asked}.values())
        if len(positions) == 1 and self._last is not None and self._last[0] is positions[0]:
            seen = self._last[1]
        else:
            seen = self._offsets(positions)
            self._last = (positions[0], seen) if len(positions) == 1 else None
        return {"keys": array(self._key_type, map(_plain, keys)), "group": self._group, **seen}

    def _offsets(self, positions: Iterable[Position]) -> dict[str, Array]:
        own = [
            {
                int(name.rpartition("-")[2]): offset
                for name, offset in position.items()
                if topic_of(name) == self._topic
            }
            for position in positions
        ]
        least = {
            partition: min(one.get(partition, 0) for one in own) for partition in set().union(*own)
        }
        return {
            "partitions": array("int", list(least)),
            "offsets": array("bigint", list(least.values())),
        }

    async def _found(self, values: dict[str, Any]) -> list[TupleRow]:
        """Runs the query; if the reserved connection is broken, again on another connection."""
        if self._cursor is not None:
            try:
                return await self._over(self._cursor, values)
            except DOWN:
                await self._let_go()
        self._connection = await self._pool.getconn(timeout=CONNECT_SECONDS)
        self._cursor = self._connection.cursor()
        try:
            return await self._over(self._cursor, values)
        except BaseException:
            await self._let_go()
            raise

    async def _over(self, cursor: AsyncCursor[TupleRow], values: dict[str, Any]) -> list[TupleRow]:
        await cursor.execute(self._statement, values)
        return await cursor.fetchall()

    async def _let_go(self) -> None:
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            await self._pool.putconn(connection)

    @staticmethod
    def _told(asked: Sequence[Question], error: Exception) -> None:
        known = away(error)
        if known is None:
            log.error("holds_unreadable", error=type(error).__name__)
        for one in asked:
            if not one.answer.done():
                one.answer.set_exception(known or error)


def _plain(key: Hashable) -> Hashable:
    return key.bytes if isinstance(key, UUID) else key


class HeldAmountsReader:
    """Reads the amounts of holds, which a query subtracts from the rows that it has read."""

    def __init__(self, pool: Pool, group: str = LIVE) -> None:
        """`group`: the projection group whose checkpoints tell which events are applied."""
        self._pool, self._group = pool, group
        self._rounds: dict[HeldAmounts, QueryCoalescer] = {}

    async def beside(
        self,
        amounts: HeldAmounts,
        keys: Keys,
        rows: Iterable[Mapping[str, Any]],
        position: Position,
    ) -> dict[tuple[Any, ...], int] | None:
        """Held amounts by the values of the columns `amounts.by`; None while Postgres is away.

        `keys`: values of the first of these columns. `rows`: the rows of `amounts.beside` that the
        caller has read, at `position`.
        """
        rounds = self._rounds.get(amounts)
        if rounds is None:
            topic = amounts.ended_by.TOPIC  # type: ignore[attr-defined]
            key_type = amounts.beside.columns[next(iter(amounts.by))].type
            rounds = QueryCoalescer(self._pool, statement(amounts), topic, self._group, key_type)
            self._rounds[amounts] = rounds
        try:
            found = await rounds.rows(keys, position)
        except PostgresAway:
            return None
        included: _Included | None = None
        held: dict[tuple[Any, ...], int] = defaultdict(int)
        for *by, amount, mark in found:
            named = tuple(by)
            if mark is not None:
                included = included or _included(amounts, rows)
                if included(named, mark):
                    continue
            held[named] += amount
        return held

    async def close(self) -> None:
        """Returns all reserved connections to the pool."""
        for rounds in self._rounds.values():
            await rounds.close()


_Included = Callable[[tuple[Any, ...], Any], bool]


def statement(amounts: HeldAmounts) -> str:
    """The SELECT of present sums, and of holds that ended after a position.

    Columns: those of `amounts.by`, the amount, and the mark (row version or event id) by which rows
    that include the hold's event are recognised; null for present sums.
    """
    sums, total = amounts.sums
    first = next(iter(amounts.by))
    return _STATEMENT.format(
        sums_by=", ".join(map(quoted, amounts.by)), sum=quoted(total), sums=quoted(sums),
        mark_type="bigint" if isinstance(amounts.beside, Table) else "uuid",
        sums_key=quoted(first), key=f"h.{quoted(amounts.by[first])}",
        key_type=amounts.beside.columns[first].type,
        by=", ".join(f"h.{quoted(own)}" for own in amounts.by.values()),
        amount=quoted(amounts.amount), mark=quoted(amounts.mark),
        decisions=quoted(amounts.decisions), topic=amounts.ended_by.TOPIC,  # type: ignore[attr-defined]
        but=f" and not ({amounts.but})" if amounts.but else "",
    )  # fmt: skip


def _included(amounts: HeldAmounts, rows: Iterable[Mapping[str, Any]]) -> _Included:
    """A function that tells whether `rows` include the event of an ended hold, by its mark."""
    if isinstance(amounts.beside, Table):
        versions = {tuple(row[name] for name in amounts.by): row["row_version"] for row in rows}
        return lambda named, version: version <= versions.get(named, 0)
    seen = {(*(row[name] for name in amounts.by), row["event_id"]) for row in rows}
    return lambda named, event_id: (*named, event_id) in seen
