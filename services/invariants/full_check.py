"""Tests invariants once for every key, as part of `hitotsu verify`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from psycopg import AsyncConnection

from services.invariants.invariant import Invariant, Key, Violation
from services.invariants.watch import SNAPSHOT
from services.runtime.db import conninfo

SLICE = 1_000
Found = tuple[Invariant, int, dict[Key, Violation]]


async def tested(dsn: str, group: str, invariants: Iterable[Invariant]) -> AsyncIterator[Found]:
    """Yields, per slice of keys: the invariant, the number of keys tested, and the violations."""
    info = conninfo(dsn, group=group, name="hitotsu-verify")
    async with await AsyncConnection.connect(info, autocommit=True) as connection:
        for invariant in invariants:
            after: Key | None = None
            while True:
                async with connection.transaction():
                    await connection.execute(SNAPSHOT)
                    keys = await invariant.keys(connection, after, SLICE)
                    broken = await invariant.broken(connection, keys) if keys else {}
                yield invariant, len(keys), broken
                if len(keys) < SLICE:
                    break
                after = keys[-1]
