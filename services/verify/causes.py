"""Finds events that may have caused differences: the last ones of each key whose row differs."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from projections.core.derivation import Derivation
from projections.core.documents import DocumentSet
from projections.core.redis_rows import shown
from projections.core.tables import Ledger, StoredTable, Table
from services.verify.columns import ColumnOrder
from services.verify.log import LogRecord, Place
from services.verify.model import HandlerRefused, TableModel, level_changes
from services.verify.record import decode
from services.verify.report import CausingEvent, Difference, VerifyReport
from services.verify.snapshot import AppliedRecord, VerifySnapshot

EVENTS_MAX = 10
Wanted = tuple[str, tuple[str, ...]]


class Search:
    """Collects, from the whole log, the last `EVENTS_MAX` events of each key in
    `report.differences`.

    On request also finds ledger rows that no event of the log produced. `missing`: by event id, the
    records that should have been applied and were not.
    """

    def __init__(
        self,
        snapshot: VerifySnapshot,
        model: TableModel,
        missing: dict[bytes, AppliedRecord],
        report: VerifyReport,
    ) -> None:
        self._snapshot, self._model, self._missing, self._report = snapshot, model, missing, report
        self._found: dict[Wanted, deque[CausingEvent]] = {}
        self._fields: set[str] = set()
        self._made: dict[StoredTable, set[tuple[Any, ...]]] = {}
        self._applied: set[bytes] | None = None
        for one in report.differences:
            self._found[_wanted(one)] = deque(maxlen=EVENTS_MAX)
            if one.where == "redis":
                self._fields.add(one.table)
        # an input without nodes may be a cause of every row, so it is listed for none of them
        self._derived: dict[StoredTable, list[tuple[Derivation, int]]] = defaultdict(list)
        for table in model.tables:
            if isinstance(table, Derivation):
                for source in table.node_inputs.values():
                    self._derived[source.table].append((table, source.nodes))
        self._shapes = {table: ColumnOrder(table) for table in model.tables}

    def surplus_in(self, table: StoredTable | None) -> None:
        """Requests a search for rows of `table` that no record of the log produced.

        `table`: a ledger of a projection; None: the event ledger.
        """
        if table is None:
            self._applied = set()
        else:
            self._made[table] = set()

    def take(self, place: Place, records: list[LogRecord]) -> None:
        """Processes consecutive records of one partition."""
        read = [decode(place, record) for record in records]
        ids = [one.event_id for one in read if one.event_id is not None]
        ledger = {**self._snapshot.ledger(ids), **self._missing}
        source = self._snapshot.topics[place[0]] * 10_000 + place[1]
        for one in read:
            if one.event_id is None or one.event is None:
                continue
            if self._applied is not None:
                self._applied.add(one.event_id)
            behind = CausingEvent(
                shown("uuid", one.event_id),
                one.event.NAME,
                f"{place[0]}-{place[1]}@{one.record.offset}",
            )
            self._note("engine", "ledger", (behind.event_id,), behind)
            self._note("engine", "duplicate_document", (behind.event_id,), behind)
            self._note("engine", "verdict", (behind.place, behind.event_id), behind)
            held = ledger.get(one.event_id)
            if held is None or (held.place, held.offset) != (place, one.record.offset):
                continue
            listed = self._snapshot.left_out.get((place, one.record.offset), {})
            for table, key, values in self._touched(one.event, source, listed):
                if table in self._made:
                    self._made[table].add(key)
                self._note("postgres", table.name, self._shapes[table].key(key), behind)
                if table.name in self._fields:
                    field = self._shapes[table].field(key, values)
                    self._note("redis", table.name, field, behind)

    def finish(self) -> None:
        """Adds surplus ledger rows to the report, and to each difference its events."""
        for table, made in self._made.items():
            shape = self._shapes[table]
            for row in self._snapshot.rows(shape):
                if row[: shape.keys] not in made:
                    self._report.add(shape.difference(row[: shape.keys], None, row))
        if self._applied is not None:
            for event_id, (topic, partition), offset in self._snapshot.ledger_ids(
                {topic for topic, _ in self._snapshot.counts}
            ):
                if event_id not in self._applied:
                    found = {"record": f"{topic}-{partition}@{offset}"}
                    key = (shown("uuid", event_id),)
                    self._report.add(Difference("engine", "ledger", key, None, found))
        for one in self._report.differences:
            events = self._found.get(_wanted(one), ())
            # the same event may have changed a row more than once
            one.events = list(dict.fromkeys(events))

    def _note(self, where: str, table: str, key: tuple[str, ...], behind: CausingEvent) -> None:
        found = self._found.get((f"{where} {table}", key))
        if found is not None:
            found.append(behind)

    def _touched(
        self, event: Any, source: int, without: Collection[str]
    ) -> Iterator[tuple[StoredTable, tuple[Any, ...], Sequence[Any]]]:
        """The rows that an event may have changed: table, key, values (empty if not known)."""
        try:
            rows = self._model.handler_rows(event, without)
        except HandlerRefused:
            return
        numbers: dict[StoredTable, int] = defaultdict(int)
        for table, key, values in rows:
            if isinstance(table, DocumentSet):
                # a row shows what all its documents say, not one event
                values = self._model.rows.get(table, {}).get(key, [])
                yield from self._followed(table, key)
            elif isinstance(table, Ledger):
                key = (event.meta.event_id, numbers[table])
                numbers[table] += 1
            elif isinstance(table, Table) and table.by_partition:
                key = (*key, source)
            if table not in self._shapes:
                continue
            yield table, key, values
            yield from self._derivations(table, key)
            if isinstance(table, Table) and table in self._model.companions:
                companion = self._model.companions[table]
                for _ in level_changes(table, values):
                    yield companion, (event.meta.event_id, numbers[companion]), ()
                    numbers[companion] += 1
        for table, key in self._model.keys(event):
            if table.projection in without:
                continue
            yield table, key, ()
            yield from self._derivations(table, key)

    def _followed(
        self, source: DocumentSet, key: tuple[Any, ...], *before: tuple[Any, ...]
    ) -> Iterator[tuple[StoredTable, tuple[Any, ...], Sequence[Any]]]:
        """The rows that follow from the set of documents to which an event belongs.

        `before`: the sets from which this one follows; a set that asks another follows from it.
        """
        for table, own, values in self._model.followed(source, key):
            if table in self._shapes:
                yield table, own, values
            if isinstance(table, DocumentSet) and (table, own) not in before:
                yield from self._followed(table, own, *before, (source, key))

    def _derivations(
        self, table: StoredTable, key: tuple[Any, ...]
    ) -> Iterator[tuple[StoredTable, tuple[Any, ...], Sequence[Any]]]:
        """Rows of derived tables that may depend on the row with this key."""
        for derivation, nodes in self._derived.get(table, ()):
            for node in key[:nodes]:
                yield derivation, (node,), ()


def _wanted(one: Difference) -> Wanted:
    return f"{one.where} {one.table}", one.key
