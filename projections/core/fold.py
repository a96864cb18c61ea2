"""What does a batch of events change? Handlers' rows, folded to one row a key.

Pure: no clock, no I/O. The engine below stores what comes out in one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from projections.core.columns import ALWAYS
from projections.core.tables import Evolution, Kept, Ledger, RowKey, Table, change_ledger

if TYPE_CHECKING:
    from projections.core.projection import Projection

ERASURE = "SubjectErased"


class HandlerFailed(Exception):
    """An event that a projection could not take; it is applied in none of the group."""

    def __init__(self, projection: str, event: Any, cause: Exception) -> None:
        super().__init__(f"{projection} could not take {event.NAME}: {type(cause).__name__}")
        self.event = event


@dataclass(slots=True)
class Folded:
    """What a batch changes, by table."""

    rows: dict[Table, dict[RowKey, list[Any]]] = field(default_factory=dict)
    appended: dict[Ledger, list[tuple[Any, ...]]] = field(default_factory=dict)
    evolving: dict[Evolution, list[tuple[RowKey, Any]]] = field(default_factory=dict)
    erased: list[bytes] = field(default_factory=list)


class Group:
    """Projections that share a ledger, checkpoints and transactions."""

    def __init__(self, name: str, projections: Iterable[Projection]) -> None:
        self.name = name
        self.projections = sorted(projections, key=lambda one: one.name)
        self.handlers: dict[type, list[tuple[str, Any]]] = defaultdict(list)
        self.evolvers: dict[type, list[tuple[Evolution, Any, Any]]] = defaultdict(list)
        self.changes: dict[Table, Ledger] = {}
        for projection in self.projections:
            for kind, handlers in projection.handlers.items():
                self.handlers[kind] += [(projection.name, handler) for handler in handlers]
            for kind, evolvers in projection.evolvers.items():
                self.evolvers[kind] += evolvers
            for table in projection.tables:
                if isinstance(table, Table) and table.level is not None:
                    self.changes[table] = change_ledger(table)
        self.evolve = {
            (evolution, kind): function
            for kind, evolvers in self.evolvers.items()
            for evolution, _, function in evolvers
        }

    @property
    def tables(self) -> list[Kept]:
        """In the order in which they are stored: what partitions share comes last."""
        own = [table for projection in self.projections for table in projection.tables]
        return sorted(
            [*own, *self.changes.values()], key=lambda table: (table.contended, table.name)
        )

    @property
    def topics(self) -> set[str]:
        """The topics whose events any of the projections takes."""
        return {kind.TOPIC for kind in (*self.handlers, *self.evolvers)}  # type: ignore[attr-defined]

    def take(self, event: Any, event_id: bytes, source: int, into: Folded) -> None:
        """Folds one event, or raises `HandlerFailed` and leaves `into` as it was."""
        kind = type(event)
        rows = []
        for name, handler in self.handlers.get(kind, ()):
            try:
                rows.extend(handler(event))
            except Exception as error:
                raise HandlerFailed(name, event, error) from error
        evolving = []
        for evolution, key, _ in self.evolvers.get(kind, ()):
            try:
                evolving.append((evolution, key(event)))
            except Exception as error:
                raise HandlerFailed(evolution.projection, event, error) from error
        numbers: dict[Kept, int] = {}
        for table, row_key, values in rows:
            if isinstance(table, Table):
                self._merge(table, row_key, values, event_id, source, numbers, into)
            else:
                number = numbers[table] = numbers.get(table, -1) + 1
                into.appended.setdefault(table, []).append((event_id, number, *values))
        for evolution, row_key in evolving:
            into.evolving.setdefault(evolution, []).append((row_key, event))
        if kind.__name__ == ERASURE:
            into.erased.append(event.profile_id)

    def _merge(
        self,
        table: Table,
        row_key: RowKey,
        values: list[Any],
        event_id: bytes,
        source: int,
        numbers: dict[Kept, int],
        into: Folded,
    ) -> None:
        if table.by_partition:
            row_key = (*row_key, source)
        changes = self.changes.get(table)
        if changes is not None:
            delta, at, _, _ = values[table.level]  # type: ignore[index]
            if at is not None and at != ALWAYS:
                number = numbers[changes] = numbers.get(changes, -1) + 1
                into.appended.setdefault(changes, []).append(
                    (event_id, number, *row_key, at, delta)
                )
        rows = into.rows.get(table)
        if rows is None:
            rows = into.rows[table] = {}
        table.fold(rows, row_key, values)
