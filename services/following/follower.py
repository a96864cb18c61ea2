"""Follows applied events by a cursor stored in Postgres, in order within a partition.

The rows that a follower stores for a batch and the new position of its cursor are committed in one
transaction. Two processes may handle the same batch, for a moment after a change of leader, so the
handling must be idempotent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.following.applied_log import AppliedEvent, AppliedLog, Place
from services.runtime.db import Connection
from services.runtime.rows import rows_of

Take = Callable[[Connection, Sequence[AppliedEvent]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class CursorTable:
    """A table that stores a follower's cursor: columns topic, partition and next_offset.

    The table of a follower of a single topic (`only_topic`) has no column topic.
    """

    name: str
    only_topic: str | None = None

    async def read(self, connection: Connection) -> dict[Place, int]:
        """The next offset by partition; without partitions of which nothing was read yet."""
        topic = "topic" if self.only_topic is None else "%s as topic"
        values = [] if self.only_topic is None else [self.only_topic]
        rows = await rows_of(
            connection, f"select {topic}, partition, next_offset from {self.name}", values
        )
        return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def move(self, connection: Connection, ends: dict[Place, int]) -> None:
        """Stores the next offsets; a stored offset that is higher stays."""
        columns: dict[str, tuple[str, list[object]]] = {
            "topic": ("text", [topic for topic, _ in ends]),
            "partition": ("int", [partition for _, partition in ends]),
            "next_offset": ("bigint", list(ends.values())),
        }
        if self.only_topic is not None:
            del columns["topic"]
        key = ", ".join(name for name in columns if name != "next_offset")
        arrays = ", ".join(f"%s::{type_}[]" for type_, _ in columns.values())
        statement = (
            f"insert into {self.name} as c ({', '.join(columns)}) select * from unnest({arrays})"
            f" on conflict ({key}) do update"
            " set next_offset = greatest(c.next_offset, excluded.next_offset)"
        )
        await connection.execute(statement.encode(), [values for _, values in columns.values()])


class Follower:
    """Reads applied events from a cursor on and passes them to a function, batch by batch."""

    def __init__(self, log: AppliedLog, cursor: CursorTable, take: Take) -> None:
        """`take`: called with a batch, in the transaction that moves the cursor."""
        self._log, self._cursor, self._take = log, cursor, take
        self._at: dict[Place, int] | None = None

    async def close(self) -> None:
        """Closes the Kafka consumer."""
        await self._log.close()

    def reset(self) -> None:
        """Forgets the cached cursor, so that the next batch starts with the stored cursor.

        Another process may have moved it.
        """
        self._at = None

    async def follow(self, connection: Connection) -> bool:
        """Handles one batch; returns False if no record was read. Raises `KafkaError`."""
        if self._at is None:
            self._at = await self._cursor.read(connection)
        batch = await self._log.read(connection, self._at, await self._log.ends(connection))
        if not batch.ends:
            return False
        async with connection.transaction():
            await self._take(connection, batch.events)
            await self._cursor.move(connection, batch.ends)
        self._at |= batch.ends
        return True
