"""The kinds of tables that a projection can declare.

`Table`      rows that merge, column by column.
`Ledger`     append-only rows; rows of one event are numbered.
`Evolution`  one state per key, where merging is not enough: `evolve(state | None, event) -> state`.
`Derivation` rows computed from the rows of other tables (`derivation.py`).
`DocumentSet` the documents of one subject, from which rows of other tables follow (`documents.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from projections.core.columns import Column, Stored, joined, newer, older, opened, plain, stored

if TYPE_CHECKING:
    from projections.core.level_parts import LevelParts

RowKey = tuple[Any, ...]
Row = tuple["StoredTable", RowKey, list[Any]]


@dataclass(frozen=True, slots=True)
class View:
    """A table's rows in Redis: one hash for each value of the columns `by`."""

    by: tuple[str, ...]


@dataclass(eq=False)
class StoredTable:
    """What every kind has: a name, columns, and optionally a view and personal columns.

    `subject`: the column that says whose data a row is. When that subject is erased, the `personal`
    columns become null, or with `forget` the row is deleted. `moved_by`: the only topic that
    changes the table, if it is rarely written; readers may cache such rows until it changes.
    `sparse`: columns by which rows are found, indexed only where not null. `later`: the last
    columns, which a released table did not have; null says of a row of before what it says of any
    other, so the table need not be built for them. `versioned`: queries get the `row_version`,
    which each change of a row raises.
    """

    name: str
    columns: dict[str, Column]
    view: View | None = None
    subject: str | None = None
    personal: tuple[str, ...] = ()
    forget: bool = False
    indexes: tuple[tuple[str, ...], ...] = ()
    contended: bool = False
    moved_by: str | None = None
    sparse: tuple[str, ...] = ()
    versioned: bool = False
    later: tuple[str, ...] = ()
    keys: tuple[str, ...] = field(init=False)
    values: tuple[str, ...] = field(init=False)
    projection: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.keys = tuple(name for name, column in self.columns.items() if column.kind == "key")
        self.values = tuple(name for name in self.columns if name not in self.keys)
        for name, column in self.columns.items():
            if not name.isidentifier() or name in ("t", "excluded", "row_version"):
                raise TypeError(f"{self.name}.{name}: not a column name")
            for other in (column.at, column.by):
                if other is not None and other not in self.columns:
                    raise TypeError(f"{self.name}.{name}: there is no column {other!r}")
        if self.later and tuple(self.columns)[-len(self.later) :] != self.later:
            raise TypeError(f"{self.name}: later columns must be the last")
        # a value of the first row never changes, so the row stays in its hash
        shown_by = {
            *self.keys,
            *(n for n, column in self.columns.items() if column.kind == "first"),
        }
        if self.view and (len(self.view.by) != 1 or self.view.by[0] not in shown_by):
            raise TypeError(f"{self.name}: a view needs exactly one key column, not {self.view.by}")

    def __call__(self, **values: Any) -> Row:
        raise TypeError(f"{self.name}: rows of this kind are not declared by calling the table")

    @property
    def stored(self) -> list[Stored]:
        """Physical columns, keys first."""
        return [
            part for name in (*self.keys, *self.values) for part in stored(name, self.columns[name])
        ]


@dataclass(eq=False)
class Table(StoredTable):
    """Rows that merge. Call it with column values to describe how one event changes one row.

    `by_partition`: one row per source partition (queries add them up), so that the owners of
    different partitions never wait for each other's row locks. `parts`: how its level is computed
    if it is also read in parts.
    """

    by_partition: bool = False
    fold: Callable[[dict[RowKey, list[Any]], RowKey, list[Any]], None] = field(init=False)
    parts: LevelParts | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.by_partition:
            self.columns = {**self.columns, "source_partition": Column("key", "int")}
        super().__post_init__()
        if not self.keys:
            raise TypeError(f"{self.name}: a table needs a key")
        self.fold = _compiled_fold(self)
        wanted = [*self.keys[:-1], *self.values] if self.by_partition else list(self.columns)
        _answer_to_calls(self, wanted)

    def change(self, key: RowKey, delta: int, at: int) -> Row:
        """A row that changes the level alone, beside totals; quicker than with a `Change`."""
        values: list[Any] = [0] * len(self.values)
        values[self.level or 0] = (delta, at, None, None)
        return (self, key, values)

    @cached_property
    def level(self) -> int | None:
        """The index, among the values, of the column of kind `level`; None without one."""
        kinds = [self.columns[name].kind for name in self.values]
        return kinds.index("level") if "level" in kinds else None


@dataclass(eq=False)
class Ledger(StoredTable):
    """Append-only rows, keyed by event id and a number within the event."""

    def __post_init__(self) -> None:
        if any(column.kind == "key" for column in self.columns.values()):
            raise TypeError(f"{self.name}: a ledger's key is the event; declare `plain` columns")
        self.columns = {
            "event_id": Column("key", "uuid"),
            "number": Column("key", "smallint"),
            **self.columns,
        }
        names = set(self.columns)
        view, self.view = self.view, None
        super().__post_init__()
        if view and (len(view.by) != 1 or view.by[0] not in names):
            raise TypeError(f"{self.name}: a view needs exactly one column, not {view.by}")
        self.view = view
        _answer_to_calls(self, self.values)


@dataclass(eq=False)
class Evolution(StoredTable):
    """One state per key, a dict by column. A state is never deleted, only replaced."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.keys:
            raise TypeError(f"{self.name}: an evolution needs a key")


def _compiled_fold(table: Table) -> Callable[[dict[RowKey, list[Any]], RowKey, list[Any]], None]:
    """A generated function that merges a row's values into the batch's values of its key."""
    position = {name: index for index, name in enumerate(table.values)}
    # columns that look at another one go first, while that one is still the old one
    order = sorted(table.values, key=lambda name: _looks_at(name, table.columns[name]))
    lines = []
    for name in order:
        index, column = position[name], table.columns[name]
        at = position[column.at] if column.at else 0
        by = position[column.by] if column.by else 0
        lines.append(
            column.fold.format(
                o=f"o[{index}]", v=f"v[{index}]", o_at=f"o[{at}]", v_at=f"v[{at}]",
                o_by=f"o[{by}]", v_by=f"v[{by}]",
            )
        )  # fmt: skip
    first = ["o = rows.get(key)", "if o is None:", "    rows[key] = v", "    return"]
    source = "\n    ".join(["def fold(rows, key, v):", *first, *lines]) + "\n"
    scope: dict[str, Any] = {"joined": joined, "newer": newer, "older": older}
    exec(source, scope)  # noqa: S102 - the text is built from declared column kinds alone
    compiled: Callable[[dict[RowKey, list[Any]], RowKey, list[Any]], None] = scope["fold"]
    return compiled


def _looks_at(name: str, column: Column) -> tuple[bool, bool]:
    """Sort key: a column is folded before the columns that it reads, while these have old
    values.
    """
    return column.at is None, column.by in (None, name)


def _answer_to_calls(table: StoredTable, wanted: Iterable[str]) -> None:
    """Makes `table(name=..., quantity=...)` one function call with checked names.

    Python looks `__call__` up in the class, so each table gets a class of its own.
    """
    arguments = sorted(wanted, key=lambda name: table.columns[name].kind != "key")
    said = [_argument(table, name) for name in arguments]
    keys = [name for name in arguments if table.columns[name].kind == "key"]
    values = ", ".join(
        table.columns[name].wrap.format(v=name) for name in arguments if name not in keys
    )
    key = "".join(f"{name}, " for name in keys)
    source = f"def row(table, *, {', '.join(said)}):\n    return (table, ({key}), [{values}])\n"
    scope: dict[str, Any] = {"opened": opened}
    exec(source, scope)  # noqa: S102 - the text is built from declared column names alone
    table.__class__ = type(type(table).__name__, (type(table),), {"__call__": scope["row"]})


def row_function(table: StoredTable, value: str) -> None:
    """Makes `table(key=..., value=...)` one function call, for a table with one value a row."""
    named = ", ".join([*table.keys, value])
    key = "".join(f"{name}, " for name in table.keys)
    source = f"def row(table, *, {named}):\n    return (table, ({key}), [{value}])\n"
    scope: dict[str, Any] = {}
    exec(source, scope)  # noqa: S102 - the text is built from declared column names alone
    table.__class__ = type(type(table).__name__, (type(table),), {"__call__": scope["row"]})


def _argument(table: StoredTable, name: str) -> str:
    """A parameter with its default: omitted merge columns are the column's identity."""
    column = table.columns[name]
    must = column.kind == "key" or isinstance(table, Ledger)
    return name if must else f"{name}={column.default}"


def change_ledger(table: Table) -> Ledger:
    """The ledger of all changes of a table with a level, so that a reading may arrive late."""
    keys = {name: plain(table.columns[name].type) for name in table.keys}
    ledger = Ledger(
        f"{table.name}_change",
        {**keys, "at": plain("bigint"), "delta": plain("bigint")},
        indexes=((*table.keys, "at"),),
    )
    ledger.projection = table.projection
    return ledger
