"""Sets of documents, and the rows that follow from each set.

Some amounts cannot be merged event by event: what a correction takes back depends on what it
corrects and on other corrections, and the events arrive in any order. So the documents of one
subject are kept together in one row, as a set, under that row's lock. Pure functions derive rows of
other tables from the whole set:

    derive(key, documents) -> (document id, row of another table), ...

A set may also *ask* another set, which tells it a document back (an answer), now or later. What a
set asks must not depend on its answers.

When the set changes, the engine compares what followed from the old set with what follows from the
new one. It deletes and appends rows of ledgers, and adds the difference to rows that merge. The
result depends on the set alone, not on the order of arrival or the split into batches. Pure.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic_core import from_json, to_json

from projections.core.columns import Column
from projections.core.tables import (
    Ledger,
    Row,
    RowKey,
    StoredTable,
    Table,
    row_function,
)

Document = list[Any]
"""JSON values. A document never changes; one that another set derives is replaced."""
Documents = Mapping[str, Document]
"""The documents of one subject. Ids are 32 hex digits: an event's, or a deriving set's key."""
Derive = Callable[[RowKey, Documents], Iterable[tuple[str, Row]]]
Summary = Callable[[RowKey, Documents], Mapping[str, Any]]
# Ledger rows of one event are numbered; a set's rows begin at its own multiple of this.
NUMBERS = 1_000
DOCUMENTS = "documents"
# how JSON writes a NUL; after an escaped backslash the same letters are text
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_NO_LEVEL: tuple[Ledger | None, int] = (None, 0)


@dataclass(eq=False)
class DocumentSet(StoredTable):
    """One row per subject: its documents, and plain columns that `summary` computes from them.

    `view`: may name a column of the summary; a row whose column is null is in no hash. Once it has
    a value it must keep it. `topics`: those of the projection that declares the set.
    """

    summary: Summary = field(kw_only=True)
    topics: Callable[[], frozenset[str]] = field(kw_only=True)

    def __post_init__(self) -> None:
        self.columns = {
            **{name: column for name, column in self.columns.items() if column.kind == "key"},
            DOCUMENTS: Column("plain", "json", update="excluded.{c}"),
            **{name: column for name, column in self.columns.items() if column.kind != "key"},
        }
        view, self.view = self.view, None
        super().__post_init__()
        if not self.keys:
            raise TypeError(f"{self.name}: a set of documents needs a key")
        if view and (len(view.by) != 1 or view.by[0] not in self.columns):
            raise TypeError(f"{self.name}: a view needs exactly one column, not {view.by}")
        self.view = view
        row_function(self, "document")

    def values_of(self, key: RowKey, documents: Documents) -> list[Any]:
        """The values of a row with these documents, in the order of `values`."""
        return [packed(documents), *map(self.summary(key, documents).__getitem__, self.values[1:])]


def packed(documents: Documents) -> str:
    """Documents as JSON text, in the order of their ids, so that equal sets are equal texts.

    A NUL in a text stays one: Postgres refuses it, as it does in a column of its own.
    """
    ordered = documents if len(documents) == 1 else dict(sorted(documents.items()))
    text = to_json(ordered).decode()
    return _NUL.sub("\\1\0", text) if "\\" in text else text


def unpacked(text: str) -> dict[str, Document]:
    """The documents in a row's JSON text."""
    documents: dict[str, Document] = from_json(text)
    return documents


def joined_documents(old: Documents, new: Mapping[str, Document | None]) -> dict[str, Document]:
    """A set with further documents; None removes a document that a set derived before."""
    merged = {**old, **new}
    if None not in new.values():
        return merged  # type: ignore[return-value]
    return {key: document for key, document in merged.items() if document is not None}


@dataclass(slots=True)
class DerivedRows:
    """What changes because sets changed: rows to merge, ledger rows to append and to delete, and
    documents of other sets (None: removed).
    """

    rows: dict[Table, dict[RowKey, list[Any]]] = field(default_factory=partial(defaultdict, dict))
    appended: dict[Ledger, list[tuple[Any, ...]]] = field(
        default_factory=partial(defaultdict, list)
    )
    deleted: dict[Ledger, list[tuple[Any, ...]]] = field(default_factory=dict)
    documents: dict[DocumentSet, dict[RowKey, dict[str, Document | None]]] = field(
        default_factory=dict
    )

    def tell(self, table: DocumentSet, key: RowKey, name: str, document: Document | None) -> None:
        """Adds a document of another set; None removes it there."""
        self.documents.setdefault(table, {}).setdefault(key, {})[name] = document

    def net(self) -> None:
        """Drops ledger rows that are both appended and deleted: one set changed more than once."""
        for ledger in self.deleted.keys() & self.appended.keys():
            gone, come = Counter(self.deleted[ledger]), Counter(self.appended[ledger])
            for rows, left in ((self.deleted, gone - come), (self.appended, come - gone)):
                rows[ledger] = [*left.elements()]
                if not rows[ledger]:
                    del rows[ledger]

    def told(self) -> Iterator[tuple[tuple[DocumentSet, RowKey, str], Document | None]]:
        """The documents of other sets, each with its set, key and id."""
        for table, sets in self.documents.items():
            for key, documents in sets.items():
                for name, document in documents.items():
                    yield (table, key, name), document


@dataclass(frozen=True, slots=True)
class Asking:
    """A set of `source` asks sets of `asked`, by the rows of these that `question` derives from it.
    `answer` derives documents of `source` from a set of `asked`.

    What is asked depends on documents of events and of other sets alone, not on answers.
    """

    source: DocumentSet
    asked: DocumentSet
    question: Derive
    answer: Derive


class Derivations:
    """The derive functions of a group's sets, and the numbers of the ledger rows they give."""

    def __init__(
        self,
        derives: Mapping[DocumentSet, list[Derive]],
        changes: Mapping[Table, Ledger],
        asking: Iterable[Asking] = (),
    ) -> None:
        """`derives`: by set, in storing order. `changes`: the ledgers of tables with a level."""
        self._derives = {table: [*functions] for table, functions in derives.items()}
        self._asking = [*asking]
        for one in self._asking:
            self._derives[one.source].append(one.question)
            self._derives[one.asked].append(one.answer)
        self._first = {table: NUMBERS * at for at, table in enumerate(derives)}
        self._levels: dict[Table, tuple[Ledger | None, int]] = {
            table: (ledger, table.level or 0) for table, ledger in changes.items()
        }

    def of(self, table: DocumentSet) -> list[Derive]:
        """The functions that derive from a set."""
        return self._derives[table]

    def ask(
        self, source: DocumentSet, sets: Mapping[DocumentSet, dict[RowKey, dict[str, Document]]]
    ) -> None:
        """Adds the answers to all sets of `source`, for who computes everything at once.

        `sets`: all documents, without what `source` asks.
        """
        for one in self._asking:
            if one.source is not source:
                continue
            asked = set[RowKey]()
            for key, documents in sets[source].items():
                for name, (_, own, values) in one.question(key, documents):
                    sets[one.asked].setdefault(own, {})[name] = values[0]
                    asked.add(own)
            for own in asked:
                for name, (_, key, values) in one.answer(own, sets[one.asked][own]):
                    sets[source][key][name] = values[0]

    def change(
        self,
        table: DocumentSet,
        key: RowKey,
        old: Documents | None,
        new: Documents,
        into: DerivedRows,
    ) -> None:
        """Adds what changes when a set's documents change from `old` (None: no row) to `new`."""
        if old is None:
            for derive in self._derives[table]:
                rows = derive(key, new)
                if rows:  # a generator is true
                    self._add(table, rows, into)
            return
        before, after = self._followed(table, key, old), self._followed(table, key, new)
        _differences(before, after, into)
        for ledger in before.appended.keys() | after.appended.keys():
            held, wanted = Counter(before.appended[ledger]), Counter(after.appended[ledger])
            if gone := [*(held - wanted).elements()]:
                into.deleted.setdefault(ledger, []).extend(gone)
            if come := [*(wanted - held).elements()]:
                into.appended[ledger] += come
        earlier, later = dict(before.told()), dict(after.told())
        for place in earlier.keys() | later.keys():
            if earlier.get(place) != later.get(place):
                into.tell(*place, later.get(place))

    def _followed(self, table: DocumentSet, key: RowKey, documents: Documents) -> DerivedRows:
        """Everything that follows from a set."""
        found = DerivedRows()
        for derive in self._derives[table]:
            self._add(table, derive(key, documents), found)
        return found

    def _add(self, source: DocumentSet, rows: Iterable[tuple[str, Row]], into: DerivedRows) -> None:
        first, told, event_id = self._first[source], "", b""
        # by document: the next number, by ledger
        numbers_of: dict[str, dict[StoredTable, int]] = {}
        numbers: dict[StoredTable, int] = {}
        for document_id, (table, key, values) in rows:
            if document_id != told:
                told, event_id = document_id, bytes.fromhex(document_id)
                numbers = numbers_of.setdefault(document_id, {})
            if isinstance(table, Table):
                table.fold(into.rows[table], key, values)
                changes, level = self._levels.get(table, _NO_LEVEL)
                if changes is None:
                    continue
                # the values may be merged by now: the change itself is a tuple, and stays
                delta, at, _, read_at = values[level]
                if at is None or read_at is not None:
                    continue
                number = numbers.get(changes, first)
                numbers[changes] = number + 1
                into.appended[changes].append((event_id, number, *key, at, delta))
            elif isinstance(table, DocumentSet):
                into.tell(table, key, document_id, values[0])
            else:
                assert isinstance(table, Ledger)
                number = numbers.get(table, first)
                numbers[table] = number + 1
                into.appended[table].append((event_id, number, *values))


def _differences(before: DerivedRows, after: DerivedRows, into: DerivedRows) -> None:
    """Adds, for rows that merge, what followed after minus what followed before.

    A level's part is (delta, changed from, reading, read at): both sides' changes may have moved,
    so the earlier of the two times says from where a reading has to be computed again.
    """
    for table, rows in before.rows.items():
        for key, values in rows.items():
            table.fold(into.rows.setdefault(table, {}), key, [_negative(value) for value in values])
    for table, rows in after.rows.items():
        for key, values in rows.items():
            table.fold(into.rows.setdefault(table, {}), key, list(values))


def _negative(value: Any) -> Any:
    if isinstance(value, tuple):
        delta, at, _, _ = value
        return (-delta, at, None, None)
    return -value


def checked_targets(source: DocumentSet, targets: Iterable[StoredTable]) -> None:
    """Raises TypeError for a table that cannot follow from a set of documents."""
    for table in targets:
        where = f"{table.name}, derived from {source.name}"
        if isinstance(table, Table):
            kinds = {table.columns[name].kind for name in table.values}
            if table.by_partition or kinds - {"total", "level"}:
                raise TypeError(f"{where}: only totals and levels can be derived, not {kinds}")
        elif isinstance(table, Ledger):
            if table.view is not None or table.subject is not None:
                raise TypeError(f"{where}: a derived ledger has no view and no subject")
        elif not isinstance(table, DocumentSet):
            raise TypeError(f"{where}: rows of this kind cannot be derived")


def in_storing_order(
    derives: Mapping[DocumentSet, Iterable[StoredTable]],
) -> Iterator[DocumentSet]:
    """The sets in an order in which a set comes before those whose documents derive from it.

    Raises TypeError if sets derive each other's documents.
    """
    waiting = {source: set(targets) for source, targets in derives.items()}
    while waiting:
        free = [
            one
            for one in waiting
            if not any(one in targets for other, targets in waiting.items() if other is not one)
        ]
        if not free:
            names = sorted(one.name for one in waiting)
            raise TypeError(f"sets of documents derive each other: {names}")
        for one in sorted(free, key=lambda table: table.name):
            yield one
            del waiting[one]
