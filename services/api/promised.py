"""What is held at this moment? Asked in rounds: many readers ask at once, for one thing each.

A question that comes while a round is under way goes out with the next, so its answer is never
older than the question, and the more ask at once the less each costs. One connection is kept for
each kind of question: taking one from the pool costs as much as asking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from services.api.database import CONNECT_SECONDS, DOWN, Away, away
from services.runtime.db import Pool
from services.runtime.logging import log

ANSWER_SECONDS = 2.0
RESERVED = """
select sku, location_id, reserved from hitotsu.stock_reserved where sku = any(%(keys)s::text[])
"""
HELD = """
select profile_id, lot_id, points from hitotsu.points_held where profile_id = any(%(keys)s::uuid[])
"""
Keys = Collection[Hashable]


class Rounds:
    """Questions of one kind: which rows have one of these keys in their first column?"""

    def __init__(self, pool: Pool, statement: str) -> None:
        self._pool, self._statement = pool, statement.encode()
        self._waiting: list[tuple[Keys, asyncio.Future[list[TupleRow]]]] = []
        self._connection: AsyncConnection[TupleRow] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._closed = False

    async def rows(self, keys: Keys) -> list[TupleRow]:
        """Rows as of now; `Away` when Postgres does not answer, or not in time."""
        answer: asyncio.Future[list[TupleRow]] = asyncio.get_running_loop().create_future()
        self._waiting.append((keys, answer))
        if self._asking is None:
            self._asking = asyncio.ensure_future(self._rounds())
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            raise Away("no answer in time") from None

    async def close(self) -> None:
        """Gives the connection back, behind the round that may still be under way."""
        self._closed = True
        if self._asking is None:
            await self._let_go()

    async def _rounds(self) -> None:
        while self._waiting:
            asked, self._waiting = self._waiting, []
            try:
                found = await self._found({key for keys, _ in asked for key in keys})
                for keys, answer in asked:
                    if not answer.done():  # whoever has left asked in vain
                        answer.set_result([row for row in found if row[0] in keys])
            except Exception as error:  # everybody of the round is told, and the next is asked
                self._told(asked, error)
        self._asking = None
        if self._closed:
            await self._let_go()

    async def _found(self, keys: set[Hashable]) -> list[TupleRow]:
        """The kept connection may lead to a server that has gone: then once more, over another."""
        if self._connection is not None:
            try:
                return await self._over(self._connection, keys)
            except DOWN:
                await self._let_go()
        self._connection = await self._pool.getconn(timeout=CONNECT_SECONDS)
        try:
            return await self._over(self._connection, keys)
        except BaseException:
            await self._let_go()
            raise

    async def _over(
        self, connection: AsyncConnection[TupleRow], keys: set[Hashable]
    ) -> list[TupleRow]:
        cursor = await connection.execute(self._statement, {"keys": list(map(str, keys))})
        return await cursor.fetchall()

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.putconn(connection)

    @staticmethod
    def _told(asked: Sequence[tuple[Keys, asyncio.Future[Any]]], error: Exception) -> None:
        known = away(error)
        if known is None:
            log.error("what is held could not be asked for", error=type(error).__name__)
        for _, answer in asked:
            if not answer.done():
                answer.set_exception(known or error)


class Promised:
    """Units and points under holds that count now; None while nobody can say."""

    def __init__(self, pool: Pool) -> None:
        self._units, self._points = Rounds(pool, RESERVED), Rounds(pool, HELD)

    async def units(self, sku: str) -> dict[str, int] | None:
        """Of an item, by location ("": none yet)."""
        try:
            found = await self._units.rows((sku,))
        except Away:
            return None
        return {location_id: reserved for _, location_id, reserved in found}

    async def points(self, profile_ids: Sequence[UUID]) -> dict[tuple[UUID, UUID], int] | None:
        """By profile and lot."""
        try:
            found = await self._points.rows(profile_ids)
        except Away:
            return None
        return {(profile_id, lot_id): points for profile_id, lot_id, points in found}

    async def close(self) -> None:
        await self._units.close()
        await self._points.close()
