"""Folds a batch of events to changed rows: one row per key, by the projections' handlers.

Pure: no clock, no I/O. The projector stores the result in one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from copy import copy
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from projections.core.columns import ALWAYS
from projections.core.documents import (
    Derivations,
    Derive,
    Document,
    DocumentSet,
    checked_targets,
    in_storing_order,
)
from projections.core.held_amounts import HeldAmounts
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

Handler = Callable[[Any], Iterable[Row]]


class HandlerFailed(Exception):
    """A projection refused an event, so that no projection of the group applies it."""

    def __init__(self, projection: str, event: Any, cause: Exception) -> None:
        super().__init__(f"{projection} could not take {event.NAME}: {type(cause).__name__}")
        self.projection, self.event = projection, event


@dataclass(slots=True)
class Folded:
    """The changes of a batch, by table."""

    rows: dict[Table, dict[RowKey, list[Any]]] = field(default_factory=dict)
    appended: dict[Ledger, list[tuple[Any, ...]]] = field(default_factory=dict)
    evolving: dict[Evolution, list[tuple[RowKey, Any]]] = field(default_factory=dict)
    documents: dict[DocumentSet, dict[RowKey, dict[str, Document | None]]] = field(
        default_factory=dict
    )
    erased: list[bytes] = field(default_factory=list)
    # what names the decision, then the event id and source partition of its fact
    ended: dict[HeldAmounts, list[tuple[Any, ...]]] = field(default_factory=dict)

    def keys(self, table: StoredTable) -> Iterable[RowKey]:
        """The keys that change, of a table whose rows merge or of an evolution."""
        if isinstance(table, Evolution):
            return (key for key, _ in self.evolving.get(table, ()))
        if isinstance(table, DocumentSet):
            return self.documents.get(table, ())
        return self.rows[table] if isinstance(table, Table) and table in self.rows else ()


class Group:
    """Projections that share an event ledger, checkpoints and transactions.

    `live`: the group of projections that name none, whose ledger keeps every event.
    """

    def __init__(self, name: str, projections: Iterable[Projection]) -> None:
        self.name = name
        self.projections = sorted(projections, key=lambda one: one.name)
        self.versions = {one.name: one.version for one in self.projections}
        self.live = any(one.group is None for one in self.projections)
        self.handlers: dict[type, list[tuple[str, Any]]] = defaultdict(list)
        self.evolvers: dict[type, list[tuple[Evolution, Any, Any]]] = defaultdict(list)
        self.changes: dict[Table, Ledger] = {}
        self.erasures: dict[type, str] = {}
        self.endings: dict[type, list[HeldAmounts]] = defaultdict(list)
        self._plans: dict[type, _Plan] = {}
        for projection in self.projections:
            self._add_erasures(projection)
            for held in projection.held_amounts:
                self.endings[held.ended_by].append(held)
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
            if isinstance(table, Table | Ledger | DocumentSet)
        }
        self.document_sets = self._document_sets()
        asking = [one for projection in self.projections for one in projection.asking]
        self.derivations = Derivations(self._derives(), self.changes, asking)
        self.evolve = {
            (evolution, kind): function
            for kind, evolvers in self.evolvers.items()
            for evolution, _, function in evolvers
        }

    @property
    def tables(self) -> list[StoredTable]:
        """The tables in storing order: those contended between partitions come last."""
        own = [table for projection in self.projections for table in projection.tables]
        return sorted(
            [*own, *self.changes.values()], key=lambda table: (table.contended, table.name)
        )

    def _document_sets(self) -> list[DocumentSet]:
        """The sets of documents in storing order: a set before the sets that derive from it.

        Raises TypeError for a source outside the group, a target that cannot be derived, and sets
        that derive each other.
        """
        targets: dict[DocumentSet, list[StoredTable]] = {
            table: [] for table in self.tables if isinstance(table, DocumentSet)
        }
        for projection in self.projections:
            for source, wanted, _ in projection.derives_from:
                if source not in targets:
                    raise TypeError(
                        f"{projection.name} derives from {source.name}, which is not in the group"
                    )
                checked_targets(source, wanted)
                targets[source] += wanted
            for one in projection.asking:
                targets[one.source].append(one.asked)
        return list(in_storing_order(targets))

    def _derives(self) -> dict[DocumentSet, list[Derive]]:
        derives: dict[DocumentSet, list[Derive]] = {table: [] for table in self.document_sets}
        for projection in self.projections:
            for source, _, derive in projection.derives_from:
                derives[source].append(derive)
        return derives

    @property
    def topics(self) -> set[str]:
        """The topics whose events any of the projections takes, or that erase a subject."""
        return set[str]().union(*(one.topics_to_read for one in self.projections))

    def take(self, event: Any, event_id: bytes, source: int, into: Folded) -> None:
        """Folds one event; raises `HandlerFailed` and then leaves `into` unchanged."""
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
        if plan.subject is not None:
            into.erased.append(plan.subject(event))
        for held, names in plan.ends:
            if (ending := names(event))[0] is not None:
                into.ended.setdefault(held, []).append((*ending, event_id, source))

    def without(self, names: Collection[str]) -> Group:
        """A group with the same tables in which these projections handle no events."""
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
        """The plan of an event type, cached."""
        plan = self._plans[kind] = _Plan(
            tuple(self.handlers.get(kind, ())),
            tuple((table.projection, table, key) for table, key, _ in self.evolvers.get(kind, ())),
            attrgetter(self.erasures[kind]) if kind in self.erasures else None,
            tuple((held, held.values_of()) for held in self.endings.get(kind, ())),
        )
        return plan

    def _add_erasures(self, projection: Projection) -> None:
        """Refuses tables with a subject that no event erases, and an event that names two
        subjects.
        """
        subjects = [table.name for table in projection.tables if table.subject]
        if subjects and not projection.erasures:
            raise TypeError(f"{projection.name}: no event erases the subjects of {subjects}")
        for event, subject in projection.erasures.items():
            if self.erasures.setdefault(event, subject) != subject:
                raise TypeError(
                    f"{projection.name}: {event.__name__} is declared with two subject fields"
                )


@dataclass(frozen=True, slots=True)
class _Plan:
    """What to do with events of one type."""

    handlers: tuple[tuple[str, Handler], ...]
    evolvers: tuple[tuple[str, Evolution, Callable[[Any], RowKey]], ...]
    subject: Callable[[Any], bytes] | None
    ends: tuple[tuple[HeldAmounts, Callable[[Any], tuple[Any, ...]]], ...]


Stow = Callable[[RowKey, list[Any], bytes, int, Folded], None]


def _stowing(table: Table | Ledger | DocumentSet, changes: Ledger | None) -> Stow:
    """A function that adds a row of this table to a batch; the table's kind is checked once."""
    if isinstance(table, Ledger):
        return _appending(table)
    if isinstance(table, DocumentSet):
        return _collecting(table)
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
    """As `_stowing`, for a ledger: rows of one event are adjacent, so the last row gives the next
    number.
    """

    def stow(key: RowKey, values: list[Any], event_id: bytes, source: int, into: Folded) -> None:
        rows = into.appended.get(table)
        if rows is None:
            rows = into.appended[table] = []
        number = rows[-1][1] + 1 if rows and rows[-1][0] == event_id else 0
        rows.append((event_id, number, *values))

    return stow


def _collecting(table: DocumentSet) -> Stow:
    """As `_stowing`, for a set: an event is one document of each of its keys."""

    def stow(key: RowKey, values: list[Any], event_id: bytes, source: int, into: Folded) -> None:
        sets = into.documents.get(table)
        if sets is None:
            sets = into.documents[table] = {}
        documents = sets.get(key)
        if documents is None:
            sets[key] = {event_id.hex(): values[0]}
        else:
            documents[event_id.hex()] = values[0]

    return stow
