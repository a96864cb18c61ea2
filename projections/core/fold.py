"""What does a batch of events change? Handlers' rows, folded to one row a key.

Pure: no clock, no I/O. The engine below stores what comes out in one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from projections.core.columns import ALWAYS
from projections.core.tables import (
    Evolution,
    Ledger,
    Row,
    RowKey,
    StoredTable,
    Table,
    change_ledger,
)

if TYPE_CHECKING:
    from projections.core.projection import Projection

ERASURE = "SubjectErased"
# facts that follow from a decision, and what of them names the hold that they end
ENDING = {
    "ReservationCommitted": ("reservation_id", "sku", "location_id"),
    "PointsRedeemed": ("hold_id",),
}
Handler = Callable[[Any], Iterable[Row]]


class HandlerFailed(Exception):
    """An event that a projection could not take; it is applied in none of the group."""

    def __init__(self, projection: str, event: Any, cause: Exception) -> None:
        super().__init__(f"{projection} could not take {event.NAME}: {type(cause).__name__}")
        self.projection, self.event = projection, event


@dataclass(slots=True)
class Folded:
    """What a batch changes, by table."""

    rows: dict[Table, dict[RowKey, list[Any]]] = field(default_factory=dict)
    appended: dict[Ledger, list[tuple[Any, ...]]] = field(default_factory=dict)
    evolving: dict[Evolution, list[tuple[RowKey, Any]]] = field(default_factory=dict)
    erased: list[bytes] = field(default_factory=list)
    # by the fact's name: what names the hold, then the fact's event id and source partition
    ended: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)


class Group:
    """Projections that share a ledger, checkpoints and transactions."""

    def __init__(self, name: str, projections: Iterable[Projection]) -> None:
        self.name = name
        self.projections = sorted(projections, key=lambda one: one.name)
        self.versions = {one.name: one.version for one in self.projections}
        self.handlers: dict[type, list[tuple[str, Any]]] = defaultdict(list)
        self.evolvers: dict[type, list[tuple[Evolution, Any, Any]]] = defaultdict(list)
        self.changes: dict[Table, Ledger] = {}
        self._plans: dict[type, _Plan] = {}
        for projection in self.projections:
            for kind, handlers in projection.handlers.items():
                self.handlers[kind] += [(projection.name, handler) for handler in handlers]
            for kind, evolvers in projection.evolvers.items():
                self.evolvers[kind] += evolvers
            for table in projection.tables:
                if isinstance(table, Table) and table.level is not None:
                    self.changes[table] = change_ledger(table)
        self._stow: dict[StoredTable, Stow] = {
            table: _stowing(table, self.changes.get(table))  # type: ignore[arg-type]
            for table in self.tables
            if isinstance(table, Table | Ledger)
        }
        self.evolve = {
            (evolution, kind): function
            for kind, evolvers in self.evolvers.items()
            for evolution, _, function in evolvers
        }

    @property
    def tables(self) -> list[StoredTable]:
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
        plan = self._plans.get(kind) or self._plan(kind)
        rows: list[Row] = []
        evolving: list[tuple[Evolution, RowKey]] = []
        whose = ""
        try:
            for whose, handler in plan.handlers:  # noqa: B007 - said when it fails
                rows += handler(event)
            for whose, evolution, key in plan.evolvers:  # noqa: B007
                evolving.append((evolution, key(event)))
        except Exception as error:
            raise HandlerFailed(whose, event, error) from error
        for table, row_key, values in rows:
            self._stow[table](row_key, values, event_id, source, into)
        for evolution, row_key in evolving:
            into.evolving.setdefault(evolution, []).append((row_key, event))
        if plan.erases:
            into.erased.append(event.profile_id)
        if plan.ends and (ending := _values(event, plan.ends))[0] is not None:
            into.ended.setdefault(event.NAME, []).append((*ending, event_id, source))

    def without(self, names: Collection[str]) -> Group:
        """The same tables, filled by the other projections: these take no event."""
        other = copy(self)
        other.handlers = defaultdict(list)
        for kind, handlers in self.handlers.items():
            other.handlers[kind] = [one for one in handlers if one[0] not in names]
        other.evolvers = defaultdict(list)
        for kind, evolvers in self.evolvers.items():
            other.evolvers[kind] = [one for one in evolvers if one[0].projection not in names]
        other._plans = {}
        return other

    def _plan(self, kind: type) -> _Plan:
        """Looked up once a kind of event, not once an event."""
        plan = self._plans[kind] = _Plan(
            tuple(self.handlers.get(kind, ())),
            tuple((table.projection, table, key) for table, key, _ in self.evolvers.get(kind, ())),
            kind.__name__ == ERASURE,
            ENDING.get(kind.__name__, ()),
        )
        return plan


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to do with events of one kind."""

    handlers: tuple[tuple[str, Handler], ...]
    evolvers: tuple[tuple[str, Evolution, Callable[[Any], RowKey]], ...]
    erases: bool
    ends: tuple[str, ...]


def _values(event: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(getattr(event, name) for name in names)


Stow = Callable[[RowKey, list[Any], bytes, int, Folded], None]


def _stowing(table: Table | Ledger, changes: Ledger | None) -> Stow:
    """How a row of this table gets into a batch; what the table is, is asked once."""
    if isinstance(table, Ledger):
        return _appending(table)
    fold, by_partition = table.fold, table.by_partition

    def stow(key: RowKey, values: list[Any], event_id: bytes, source: int, into: Folded) -> None:
        rows = into.rows.get(table)
        if rows is None:
            rows = into.rows[table] = {}
        fold(rows, (*key, source) if by_partition else key, values)

    if changes is None:
        return stow
    level = table.level or 0

    def stow_level(
        key: RowKey, values: list[Any], event_id: bytes, source: int, into: Folded
    ) -> None:
        delta, at, _, _ = values[level]
        kept = (*key, source) if by_partition else key
        if at is not None and at != ALWAYS:
            noted = into.appended.get(changes)
            if noted is None:
                noted = into.appended[changes] = []
            number = noted[-1][1] + 1 if noted and noted[-1][0] == event_id else 0
            noted.append((event_id, number, *kept, at, delta))
        rows = into.rows.get(table)
        if rows is None:
            rows = into.rows[table] = {}
        fold(rows, kept, values)

    return stow_level


def _appending(table: Ledger) -> Stow:
    """An event's rows follow each other, so the last row tells the number of the next."""

    def stow(key: RowKey, values: list[Any], event_id: bytes, source: int, into: Folded) -> None:
        rows = into.appended.get(table)
        if rows is None:
            rows = into.appended[table] = []
        number = rows[-1][1] + 1 if rows and rows[-1][0] == event_id else 0
        rows.append((event_id, number, *values))

    return stow
