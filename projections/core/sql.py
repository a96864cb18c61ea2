"""Generates SQL from a declaration: DDL, merges, loads, and the rows of views.

The functions return the text of a statement or of a part of one; docstrings say what that does.
"""

from __future__ import annotations

from collections.abc import Collection

from projections.core.columns import Stored
from projections.core.derivation import Derivation
from projections.core.documents import DocumentSet
from projections.core.level_parts import LevelParts
from projections.core.tables import Evolution, Ledger, StoredTable, Table

_ARRAYS = ("uuid[]", "bigint[]", "int[]", "text[]", "int8multirange")

LEDGER = """
create table if not exists ledger (
    event_id uuid primary key,
    hash bigint not null,
    schema_id int not null,
    topic smallint not null,
    partition smallint not null,
    "offset" bigint not null,
    -- the document that the event tells, and the hash of its content: null where it tells none,
    -- and the content where it was applied before documents were known, and not read since
    document uuid,
    content bigint
);
-- records under other ids that told a document again; `duplicate_of` is in the ledger;
-- `subject`: whom such a record is about, if it names anybody
create table if not exists duplicate_document (
    event_id uuid primary key,
    hash bigint not null,
    schema_id int not null,
    topic smallint not null,
    partition smallint not null,
    "offset" bigint not null,
    duplicate_of uuid not null,
    subject uuid
);
create table if not exists erased_subject (subject uuid primary key);
"""
DOCUMENTS_INDEX = """
create unique index if not exists ledger_document on ledger (document) where document is not null
"""


def quoted(name: str) -> str:
    """An SQL identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def _type(part: Stored) -> str:
    return 'text collate "C"' if part.type == "text" else part.type


def column_ddl(part: Stored) -> str:
    """A column's definition for `create table` and `add column`: name, type, default."""
    return f"{quoted(part.name)} {_type(part)}{_default(part)}"


def ddl(table: StoredTable) -> str:
    """Creates the table and its indexes if they are missing."""
    lines = [column_ddl(part) for part in table.stored]
    if not isinstance(table, Ledger):
        # a ledger has no primary key: the event ledger's key prevents duplicates
        keys = ", ".join(quoted(name) for name in table.keys)
        lines += ["row_version bigint not null", f"primary key ({keys})"]
    statements = [
        f"create table if not exists {quoted(table.name)} (\n    " + ",\n    ".join(lines) + "\n)"
    ]
    wanted = {*table.indexes, *([table.view.by] if table.view and _prefix(table) else [])}
    if table.subject and (table.subject,) != table.keys[:1]:
        wanted.add((table.subject,))
    for columns in sorted(one for one in wanted if not _begins_another(one, wanted)):
        name = quoted(f"{table.name}_by_{'_'.join(columns)}")
        on = ", ".join(quoted(column) for column in columns)
        statements.append(f"create index if not exists {name} on {quoted(table.name)} ({on})")
    for column in table.sparse:
        name, on = quoted(f"{table.name}_with_{column}"), quoted(column)
        statements.append(
            f"create index if not exists {name} on {quoted(table.name)} ({on})"
            f" where {on} is not null"
        )
    return ";\n".join(statements) + ";\n"


def _begins_another(columns: tuple[str, ...], wanted: set[tuple[str, ...]]) -> bool:
    """Whether a longer index has this prefix and finds the same rows: each index costs as much as
    the row.
    """
    return any(other != columns and other[: len(columns)] == columns for other in wanted)


def _default(part: Stored) -> str:
    """The default of a column: merges omit columns that no row changes."""
    return f" default {part.default}" if part.default else ""


def _prefix(table: StoredTable) -> bool:
    """Whether reading a view by its columns needs an index besides the primary key."""
    return table.view is not None and table.keys[: len(table.view.by)] != table.view.by


def wire_type(part: Stored) -> str:
    """The type in which a column's values are sent; values that are arrays or ranges as text."""
    return "text" if part.type in _ARRAYS else part.type


def _source(parts: list[Stored]) -> tuple[str, str]:
    sent = ", ".join(f"%s::{wire_type(part)}[]" for part in parts)
    names = ", ".join(quoted(part.name) for part in parts)
    return f"unnest({sent}) as x({names})", names


def merge(table: Table | Evolution | Derivation, names: tuple[str, ...], shown: bool = True) -> str:
    """Upserts folded rows, sent as one array per column.

    Returns the rows of the table's view, unless nobody is `shown` them.
    """
    parts = [part for part in table.stored if part.name in names]
    source, listed = _source(parts)
    taken = ", ".join(
        f"x.{quoted(part.name)}" + (f"::{part.type}" if wire_type(part) != part.type else "")
        for part in parts
    )
    changes = [
        f"{quoted(part.name)} = {part.update}" for part in parts if part.name not in table.keys
    ]
    keys = ", ".join(quoted(name) for name in table.keys)
    statement = (
        f"insert into {quoted(table.name)} as t ({listed}, row_version)"
        f" select {taken}, 1 from {source}\non conflict ({keys}) do update set "
        + ", ".join([*changes, "row_version = t.row_version + 1"])
    )
    returned = []
    levelled = isinstance(table, Table) and table.level is not None
    if table.view is not None and shown:
        returned.append(view_columns(table))
    elif levelled:
        returned.append(f"{view_key(table)}, 0, ''")
    if isinstance(table, Table) and levelled:
        returned.append(due(table))
    return statement + (f"\nreturning {', '.join(returned)}" if returned else "")


def view_key(table: StoredTable) -> str:
    """The row's place in Redis: hash key and field."""
    assert table.view is not None
    (by,) = table.view.by
    rest = [name for name in table.keys if name != by]
    field = " || '|' || ".join(f"t.{quoted(name)}::text" for name in rest) or "''"
    return f"t.{quoted(by)}::text, {field}"


def view_columns(table: StoredTable) -> str:
    """A row's content in Redis: hash key, field, row version, payload (a JSON array)."""
    version = "1" if isinstance(table, Ledger) else "t.row_version"
    return f"{view_key(table)}, {version}, {payload(table)}"


def payload(table: StoredTable) -> str:
    """A row's columns as JSON text, in the order of `visible`. It concatenates texts, because every
    row of every batch is returned, and `json_build_array` costs as much as the merge itself.
    """
    return "'[' || " + " || ', ' || ".join(_json(part) for part in visible(table)) + " || ']'"


def _json(part: Stored) -> str:
    name = f"t.{quoted(part.name)}"
    if part.json:
        return f"coalesce({name}, 'null')"
    if part.type in ("bigint", "int", "smallint", "boolean"):
        text = f"{name}::text"
    elif part.type == "uuid":
        text = f"'\"' || {name} || '\"'"
    else:
        text = f"to_json({name})::text"
    return f"coalesce({text}, 'null')"


def visible(table: StoredTable) -> list[Stored]:
    """The columns that queries see."""
    return [part for part in table.stored if not part.hidden]


def due(table: Table) -> str:
    """Whether a row's level has to be recomputed: a reading arrived, or a change older than the
    reading.
    """
    name = table.values[table.level or 0]
    return f"coalesce(t.{name}_from < t.{name}_read_at, false)"


def recount(table: Table, changes: Ledger, raised: bool = False) -> str:
    """Recomputes levels from readings and changes; the caller holds the row locks.

    `raised`: raises the row versions, if no merge before it did.
    """
    name = table.values[table.level or 0]
    parts = [part for part in table.stored if part.name in table.keys]
    source, _ = _source(parts)
    same = " and ".join(f"t.{quoted(key)} = x.{quoted(key)}" for key in table.keys)
    of_row = " and ".join(f"c.{quoted(key)} = t.{quoted(key)}" for key in table.keys)
    returned = f"\nreturning {view_columns(table)}" if table.view else ""
    value = (
        f"t.{name}_read + coalesce((select sum(c.delta) "
        f"from {quoted(changes.name)} c where {of_row} and c.at >= t.{name}_read_at), 0)"
    )
    if table.parts is not None:
        value = table.parts.sql
    if raised:
        value += ", row_version = t.row_version + 1"
    return (
        f"update {quoted(table.name)} t set {name} = {value}\nfrom {source} where {same}{returned}"
    )


def lock_rows(table: StoredTable, selected: str = "") -> str:
    """Locks the rows of given keys that are there, in key order, as merges do.

    `selected`: the SQL of the columns that are read of these rows.
    """
    parts = [part for part in table.stored if part.name in table.keys]
    source, _ = _source(parts)
    same = " and ".join(f"t.{quoted(key)} = x.{quoted(key)}" for key in table.keys)
    order = ", ".join(f"t.{quoted(key)}" for key in table.keys)
    return (
        f"select {selected} from {quoted(table.name)} t join {source} on {same}"
        f" order by {order} for update of t"
    )


def read_in_parts(parts: LevelParts) -> str:
    """The keys of levels that were read in parts, of given values of the column `by`."""
    keys = ", ".join(f"r.{quoted(name)}" for name in parts.table.keys)
    type_ = parts.table.columns[parts.by].type
    return (
        f"select distinct {keys} from {quoted(parts.readings.name)} r"
        f" where r.{quoted(parts.named[2])} is not null"
        f" and {parts.setting_sql('r.' + quoted(parts.by))} = any(%s::{type_}[])"
    )


def load(table: StoredTable) -> str:
    """Reads the stored states of given keys."""
    parts = [part for part in table.stored if part.name in table.keys]
    source, _ = _source(parts)
    same = " and ".join(f"t.{quoted(key)} = x.{quoted(key)}" for key in table.keys)
    return f"select {payload(table)} from {quoted(table.name)} t join {source} on {same}"


def view_rows(table: StoredTable, some: bool = True) -> str:
    """The view's rows: of the hash keys in one array parameter, or of the whole table."""
    assert table.view is not None
    (by,) = table.view.by
    statement = f"select {view_columns(table)} from {quoted(table.name)} t"
    if some:
        return f"{statement} where t.{quoted(by)} = any(%s::{table.columns[by].type}[])"
    # rows of sets whose summary has no value yet are in no hash
    return f"{statement} where t.{quoted(by)} is not null" if by not in table.keys else statement


def add_documents(table: DocumentSet, names: Collection[str]) -> str:
    """Inserts rows that are not there yet, in key order, and returns their keys.

    `names`: the columns that are sent; the others are null. It waits for other transactions that
    are inserting the same keys.
    """
    parts = [part for part in table.stored if part.name in names]
    source, listed = _source(parts)
    taken = ", ".join(f"x.{quoted(part.name)}" for part in parts)
    keys = ", ".join(quoted(name) for name in table.keys)
    return (
        f"insert into {quoted(table.name)} as t ({listed}, row_version) select {taken}, 1"
        f" from {source}\non conflict ({keys}) do nothing returning {_own_keys(table)}"
    )


def copy_documents(table: DocumentSet) -> str:
    """The COPY that inserts rows, each with 1 as its row version at the end."""
    listed = ", ".join(quoted(part.name) for part in table.stored)
    return f"copy {quoted(table.name)} ({listed}, row_version) from stdin (format binary)"


def lock_documents(table: DocumentSet) -> str:
    """Reads the documents of given keys, and locks these rows in key order."""
    return lock_rows(table, f"{_own_keys(table)}, t.documents")


def replace_documents(table: DocumentSet) -> str:
    """Replaces the documents and the summary of locked rows."""
    source, _ = _source(table.stored)
    same = " and ".join(f"t.{quoted(key)} = x.{quoted(key)}" for key in table.keys)
    changes = ", ".join(f"{quoted(name)} = x.{quoted(name)}" for name in table.values)
    returned = f"\nreturning {view_columns(table)}" if table.view else ""
    return (
        f"update {quoted(table.name)} t set {changes}, row_version = t.row_version + 1"
        f" from {source} where {same}{returned}"
    )


def delete_documents(table: DocumentSet) -> str:
    """Deletes the rows of given keys, which are locked."""
    source, _ = _source([part for part in table.stored if part.name in table.keys])
    same = " and ".join(f"t.{quoted(key)} = x.{quoted(key)}" for key in table.keys)
    return f"delete from {quoted(table.name)} t using {source} where {same}"


def _own_keys(table: StoredTable) -> str:
    return ", ".join(
        f"uuid_send(t.{quoted(name)})"
        if table.columns[name].type == "uuid"
        else f"t.{quoted(name)}"
        for name in table.keys
    )


def delete_rows(table: Ledger) -> str:
    """Deletes ledger rows that equal the ones sent in every column."""
    source, _ = _source(table.stored)
    same = " and ".join(
        f"t.{quoted(part.name)} is not distinct from x.{quoted(part.name)}"
        if part.name in table.values and part.name not in _indexed(table)
        else f"t.{quoted(part.name)} = x.{quoted(part.name)}"
        for part in table.stored
    )
    return f"delete from {quoted(table.name)} t using {source} where {same}"


def _indexed(table: StoredTable) -> set[str]:
    """Columns by which rows are found: compared so that an index is used."""
    return {name for columns in table.indexes for name in columns}


def forgotten(table: StoredTable) -> str:
    """Erases subjects in a table: deletes rows, or sets their personal columns to null."""
    subject = f"t.{quoted(table.subject or '')}"
    where = f"{subject} = any(%s::uuid[]) and {subject} in (select subject from erased_subject)"
    if table.forget:
        return f"delete from {quoted(table.name)} t where {where}"
    nulls = ", ".join(f"{quoted(name)} = null" for name in table.personal)
    some = " or ".join(f"t.{quoted(name)} is not null" for name in table.personal)
    raised = "" if isinstance(table, Ledger) else ", row_version = t.row_version + 1"
    returned = f"\nreturning {view_columns(table)}" if table.view else ""
    return f"update {quoted(table.name)} t set {nulls}{raised} where {where} and ({some}){returned}"
