"""A projection: the tables that answer one question, the handlers that fill them, the queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from projections.core.columns import Column
from projections.core.comparison import ChangedAnswer, Comparison
from projections.core.derivation import Decide, Derivation, Input, Scope
from projections.core.documents import Asking, Derive, DocumentSet, Summary
from projections.core.held_amounts import HeldAmounts
from projections.core.level_parts import LevelParts
from projections.core.lists import Listing, Measure, NumberOf
from projections.core.query import Query, Read, Resolver, Subject
from projections.core.tables import (
    Evolution,
    Ledger,
    Row,
    RowKey,
    StoredTable,
    Table,
    View,
)

Handler = Callable[[Any], Iterable[Row]]
State = dict[str, Any]
Evolve = Callable[[State | None, Any], State]
H = TypeVar("H", bound=Callable[..., Any])


class Projection:
    """Tables, handlers and queries. Raise `version` when the meaning of a table changes.

    `group`: projections of one group share a ledger, checkpoints and transactions. Those that name
    none are in the live group, which also keeps in its ledger the events that none of them takes.
    `formerly`: projections from which its tables were moved, names and contents unchanged. A stack
    that has those needs no rebuild. `former_tables`: tables that an older release filled and that
    nothing reads any more; they are dropped once the projection's own tables are complete.
    """

    def __init__(
        self,
        name: str,
        *,
        version: int = 1,
        group: str | None = None,
        formerly: tuple[str, ...] = (),
        former_tables: tuple[str, ...] = (),
    ) -> None:
        self.name, self.version, self.group = name, version, group
        self.formerly = formerly
        self.former_tables = former_tables
        self.tables: list[StoredTable] = []
        self.handlers: dict[type, list[Handler]] = defaultdict(list)
        self.evolvers: dict[type, list[tuple[Evolution, Callable[[Any], RowKey], Evolve]]] = (
            defaultdict(list)
        )
        self.derives_from: list[tuple[DocumentSet, tuple[StoredTable, ...], Derive]] = []
        self.asking: list[Asking] = []
        self.queries: list[Query] = []
        self.erasures: dict[type, str] = {}
        self.held_amounts: list[HeldAmounts] = []
        self.resolvers: list[Resolver] = []
        self.measures: list[Measure] = []
        self.listings: list[Listing] = []
        self.comparisons: list[Comparison] = []

    def table(
        self,
        name: str,
        /,
        *,
        view: View | None = None,
        contended: bool = False,
        by_partition: bool = False,
        moved_by: str | None = None,
        subject: str | None = None,
        personal: tuple[str, ...] = (),
        forget: bool = False,
        versioned: bool = False,
        indexes: tuple[tuple[str, ...], ...] = (),
        later: tuple[str, ...] = (),
        **columns: Column,
    ) -> Table:
        """Declares a table whose rows merge. `contended`: many partitions change its rows; stored
        last.

        `versioned`: queries get its rows' `row_version`. `later`: as of a ledger.
        """
        table = Table(
            name,
            columns,
            view,
            subject,
            personal,
            forget,
            indexes,
            contended,
            moved_by=moved_by,
            versioned=versioned,
            by_partition=by_partition,
            later=later,
        )
        self._keep(table)
        return table

    def ledger(
        self,
        name: str,
        /,
        *,
        view: View | None = None,
        subject: str | None = None,
        personal: tuple[str, ...] = (),
        indexes: tuple[tuple[str, ...], ...] = (),
        sparse: tuple[str, ...] = (),
        later: tuple[str, ...] = (),
        **columns: Column,
    ) -> Ledger:
        """Declares a table of append-only rows. `later`: columns that a released table lacked."""
        ledger = Ledger(
            name, columns, view, subject, personal, False, indexes, sparse=sparse, later=later
        )
        self._keep(ledger)
        return ledger

    def evolution(
        self,
        name: str,
        /,
        *,
        view: View | None = None,
        subject: str | None = None,
        personal: tuple[str, ...] = (),
        indexes: tuple[tuple[str, ...], ...] = (),
        **columns: Column,
    ) -> Evolution:
        """Declares a table with one state per key, computed by a function."""
        evolution = Evolution(name, columns, view, subject, personal, False, indexes)
        self._keep(evolution)
        return evolution

    def derivation(
        self,
        name: str,
        /,
        *,
        view: View,
        inputs: Mapping[str, Input],
        decide: Decide,
        scope: Scope,
        indexes: tuple[tuple[str, ...], ...] = (),
        **columns: Column,
    ) -> Derivation:
        """Declares a table whose rows are computed from the inputs' rows; stored last."""
        derivation = Derivation(
            name,
            columns,
            view,
            indexes=indexes,
            contended=True,
            inputs=inputs,
            decide=decide,
            scope=scope,
        )
        self._keep(derivation)
        return derivation

    def documents(
        self,
        name: str,
        /,
        *,
        summary: Summary,
        view: View | None = None,
        indexes: tuple[tuple[str, ...], ...] = (),
        sparse: tuple[str, ...] = (),
        **columns: Column,
    ) -> DocumentSet:
        """Declares a table with the documents of one subject a row.

        A handler's `table(key=..., document=...)` adds its event's document. `summary` computes the
        plain columns from the documents.
        """
        documents = DocumentSet(
            name, columns, view, indexes=indexes, sparse=sparse, summary=summary,
            topics=lambda: self.topics,
        )  # fmt: skip
        self._keep(documents)
        return documents

    def derives(self, source: DocumentSet, *targets: StoredTable) -> Callable[[H], H]:
        """Decorates `derive(key, documents) -> (document id, row of a target), ...`, which gives
        all rows that follow from a set of documents, whatever projection declares the set.
        """

        def add(function: H) -> H:
            self.derives_from.append((source, targets, function))
            return function

        return add

    def in_parts(self, parts: LevelParts) -> None:
        """Declares that the level of a table is also read in parts."""
        if parts.table.level is None:
            raise TypeError(f"{parts.table.name}: has no level that could be read in parts")
        parts.table.parts = parts

    def _keep(self, table: StoredTable) -> None:
        if any(other.name == table.name for other in self.tables):
            raise TypeError(f"{self.name}: two tables named {table.name}")
        table.projection = self.name
        self.tables.append(table)

    @property
    def topics(self) -> frozenset[str]:
        """The topics whose events move the projection's tables; an answer's position lists them."""
        own = frozenset(kind.TOPIC for kind in (*self.handlers, *self.evolvers))  # type: ignore[attr-defined]
        others = (one for one, _, _ in self.derives_from if one.projection != self.name)
        return own.union(*(source.topics() for source in others))

    @property
    def topics_to_read(self) -> frozenset[str]:
        """`topics`, and those of events that erase a subject of its tables."""
        return self.topics | {kind.TOPIC for kind in self.erasures}  # type: ignore[attr-defined]

    def on(self, *events: type) -> Callable[[H], H]:
        """Decorates a handler, which returns or yields rows for each event of these types."""

        def add(handler: H) -> H:
            for event in events:
                self.handlers[event].append(handler)
            return handler

        return add

    def evolves(
        self, evolution: Evolution, *events: type, key: Callable[[Any], RowKey]
    ) -> Callable[[H], H]:
        """Decorates a state function `evolve(state | None, event) -> state` of one evolution."""

        def add(function: H) -> H:
            for event in events:
                if any(other is evolution for other, _, _ in self.evolvers[event]):
                    raise TypeError(
                        f"{evolution.name}: two functions are declared for {event.__name__}"
                    )
                self.evolvers[event].append((evolution, key, function))
            return function

        return add

    def erases(self, event: type, *, subject: str) -> None:
        """Declares that this event erases the subject that the event's field names, in every table
        with one.

        Rows that arrive later about an erased subject are erased too.
        """
        self.erasures[event] = subject

    def held(
        self,
        decisions: str,
        /,
        *,
        beside: Table | Ledger,
        by: Mapping[str, str],
        amount: str,
        sums: tuple[str, str],
        ended_by: type,
        named: Mapping[str, str],
        awaiting: str,
        mark: str,
        fact_id: Callable[[Mapping[str, Any]], UUID],
        read: Mapping[str, Callable[[Any], Any]] | None = None,
        but: str = "",
        keep_days: int = 30,
    ) -> HeldAmounts:
        """Declares amounts that decisions hold; queries subtract what `Read.held` returns."""
        held = HeldAmounts(
            decisions,
            beside,
            by,
            amount,
            sums,
            ended_by,
            named,
            awaiting,
            mark,
            fact_id,
            read or {},
            but,
            keep_days,
        )
        self.held_amounts.append(held)
        return held

    def measure(self, metric: str, statement: str, number_of: NumberOf | None = None) -> None:
        """Keeps a metric of `services/runtime/metrics.py` by a SELECT; see `Measure`."""
        self.measures.append(Measure(metric, statement, self.name, number_of=number_of))

    def measure_list(self, metric: str, list_name: str, statement: str) -> None:
        """Keeps a metric with a number for each label of a list; see `Measure`."""
        self.measures.append(Measure(metric, statement, self.name, list_name))

    def lists(
        self, name: str, labels: tuple[str, ...], statement: str, *uses: StoredTable,
        has_subjects: bool = True,
    ) -> None:  # fmt: skip
        """Adds the rows of a SELECT to the list `name`; see `Listing`."""
        self.listings.append(Listing(name, labels, statement, uses, self.name, has_subjects))

    def compares(
        self,
        name: str,
        changes: Callable[[Mapping[str, Any]], Iterable[ChangedAnswer]],
        *,
        former: tuple[str, ...],
        compared: str,
        candidates: str,
        unbuilt: bool = False,
    ) -> None:
        """Declares which answers an upgrade compares before and after; see `Comparison`."""
        self.comparisons.append(
            Comparison(name, self.name, former, compared, candidates, changes, unbuilt)
        )

    def query(
        self,
        path: str,
        *,
        scope: str,
        method: str = "GET",
        part: str | None = None,
        parts: bool = False,
    ) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
        """Decorates a query; its signature without `read` is the HTTP interface."""

        def add(function: Callable[..., Awaitable[Any]]) -> Any:
            self.queries.append(Query(method, path, scope, function, self, part, parts))
            return function

        return add

    def resolver(
        self, function: Callable[[Read, UUID], Awaitable[Subject | None]]
    ) -> Callable[[Read, UUID], Awaitable[Subject | None]]:
        """Decorates what finds a query's subject; its docstring describes the id it takes."""
        self.resolvers.append(Resolver(function.__name__, self, function))
        return function


def linked(projections: Iterable[Projection], names: Iterable[str]) -> set[str]:
    """These projections and all that derive from their sets of documents, or whose sets they derive
    from: what they hold follows from each other, so they are folded from the log together.
    """
    pairs = {
        (projection.name, source.projection)
        for projection in projections
        for source, _, _ in projection.derives_from
    }
    reached = set(names)
    while (
        more := {name for pair in pairs if not reached.isdisjoint(pair) for name in pair} - reached
    ):
        reached |= more
    return reached
