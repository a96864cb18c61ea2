"""Compares the tables of a shadow schema with the live ones, row by row, in SQL.

Redis replaces a row only by a row of a higher version. So an equal row gets the version of the live
row and Redis needs no write; a row that differs gets the next version.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from projections.core.sql import quoted
from projections.core.tables import Ledger, StoredTable
from services.verify.columns import ColumnOrder

Connection = psycopg.Connection[TupleRow]
LISTED_MAX = 200
COLUMNS = (
    "select attname::text from pg_attribute where attrelid = to_regclass(%s)"
    " and attnum > 0 and not attisdropped"
)


@dataclass(frozen=True, slots=True)
class ChangedAfter:
    """Transaction ids of an earlier comparison's snapshot: later changes are compared again."""

    live: str
    shadow: str


class Pair:
    """A live table and the table of the same name in the shadow schema, and how they differ."""

    def __init__(self, number: int, table: StoredTable, live: str, shadow: str) -> None:
        self.table, self._shape = table, ColumnOrder(table)
        self.live = f"{quoted(live)}.{quoted(table.name)}"
        self.shadow = f"{quoted(shadow)}.{quoted(table.name)}"
        self._differing = f"pg_temp.differing_{number}"
        names = self._shape.names
        self._keys = [quoted(name) for name in names[: self._shape.keys]]
        self._values = [quoted(name) for name in names[self._shape.keys :]]
        by = table.view.by[0] if table.view else ""
        self._by = quoted(by) if by else ""
        self._same = " and ".join(f"l.{name} = s.{name}" for name in self._keys)
        self._differ = f"({_of('l', self._values)}) is distinct from ({_of('s', self._values)})"
        self.comparable = False
        self.versioned = not isinstance(table, Ledger)

    def begin(self, connection: Connection) -> None:
        """Creates the table of differences; sets `comparable`: the columns of both are the same."""
        held = {row[0] for row in connection.execute(COLUMNS, [self.live])}
        made = {row[0] for row in connection.execute(COLUMNS, [self.shadow])}
        self.comparable = held == made
        key = ", ".join(f"s.{name}" for name in self._keys)
        connection.execute(f"drop table if exists {self._differing}".encode())
        connection.execute(
            f"create temp table {self._differing.removeprefix('pg_temp.')} as select {key},"
            f" ''::text as shown_by, null::jsonb as expected, null::jsonb as found"
            f" from {self.shadow} s limit 0".encode()
        )

    def compare(self, connection: Connection, since: ChangedAfter | None) -> None:
        """Records every row that differs. `since`: looks only at rows changed after it (None: all).

        Does nothing if the tables are not comparable.
        """
        if not self.comparable:
            return
        key = ", ".join(f"coalesce(l.{name}, s.{name})" for name in self._keys)
        by = f"coalesce(l.{self._by}, s.{self._by})::text" if self._by else "null"
        first = self._keys[0]
        where, joined = "", f"{self.live} l full join {self.shadow} s on {self._same}"
        if since is not None:
            keys = ", ".join(self._keys)
            joined = (
                f"(select {keys} from {self.live} where age(xmin) <= age('{since.live}'::xid)"
                f" union select {keys} from {self.shadow}"
                f" where age(xmin) < age('{since.shadow}'::xid)) k"
                f" left join {self.live} l using ({keys}) left join {self.shadow} s using ({keys})"
            )
            key = keys
            same = " and ".join(f"d.{name} = k.{name}" for name in self._keys)
            connection.execute(
                f"delete from {self._differing} d using {joined} where {same}".encode()
            )
        connection.execute(
            f"insert into {self._differing} select {key}, {by},"
            f" case when s.{first} is not null then {_row('s', self._shape.names)} end,"
            f" case when l.{first} is not null then {_row('l', self._shape.names)} end"
            f" from {joined} where (l.{first} is null) <> (s.{first} is null)"
            f" or {self._differ}{where}".encode()
        )

    def adopt(self, connection: Connection, since: ChangedAfter | None) -> None:
        """Sets versions of shadow rows: the live row's version, plus 1 if the row differs.

        `since`: only for rows changed after it (None: all). Does nothing if the tables are not
        comparable or Redis has no versions of their rows.
        """
        if not (self.comparable and self.versioned and self.table.view):
            return
        changed = (
            f" and (age(l.xmin) <= age('{since.live}'::xid)"
            f" or age(s.xmin) < age('{since.shadow}'::xid))"
            if since is not None
            else ""
        )
        version = f"l.row_version + ({self._differ})::int"
        connection.execute(
            f"update {self.shadow} s set row_version = {version} from {self.live} l"
            f" where {self._same}{changed} and s.row_version <> {version}".encode()
        )

    def sizes_differ(self, connection: Connection) -> bool:
        """Whether the recorded differences do not explain the difference in the number of rows.

        Then a deletion was missed, and all rows have to be compared again.
        """
        if not self.comparable:
            return False
        row = connection.execute(
            f"select (select count(*) from {self.live}) - (select count(*) from {self.shadow})"
            f" - (select count(*) filter (where expected is null)"
            f" - count(*) filter (where found is null) from {self._differing})".encode()
        ).fetchone()
        return row is not None and row[0] != 0

    def differences(self, connection: Connection) -> tuple[int, list[dict[str, Any]]]:
        """The number of differing rows, and at most `LISTED_MAX` of them as JSON values."""
        rows = connection.execute(f"select count(*) from {self._differing}".encode()).fetchone()
        listed = connection.execute(
            f"select {', '.join(f'{name}::text' for name in self._keys)}, expected, found"
            f" from {self._differing} limit {LISTED_MAX}".encode()
        ).fetchall()
        many = int(rows[0]) if rows else 0
        return many, [
            {"table": self.table.name, "key": row[:-2], "expected": row[-2], "found": row[-1]}
            for row in listed
        ]

    def due(self, connection: Connection) -> list[str]:
        """The Redis hashes to write: values of the view's key column of the differing rows."""
        rows = connection.execute(
            f"select distinct shown_by from {self._differing} where shown_by is not null".encode()
        ).fetchall()
        return [row[0] for row in rows]

    def refills(self, connection: Connection) -> bool:
        """Whether Redis has to be filled anew, because writes of the differing rows do not suffice.

        That is so for tables that are not comparable, for rows that exist on one side only, and for
        all differences of a ledger or of a table that processes cache (`moved_by`).
        """
        if self.table.view is None:
            return False
        if not self.comparable:
            return True
        # rows of a ledger never change version; processes cache tables that have `moved_by`
        any_row = not self.versioned or self.table.moved_by is not None
        where = "" if any_row else " where expected is null or found is null"
        row = connection.execute(
            f"select exists (select from {self._differing}{where})".encode()
        ).fetchone()
        return bool(row and row[0])


def marks(connection: Connection) -> ChangedAfter:
    """The snapshot of the current transaction, for a later `compare` of what changed since."""
    row = connection.execute(
        "select pg_snapshot_xmin(pg_current_snapshot())::xid::text, pg_current_xact_id()::xid::text"
    ).fetchone()
    assert row is not None
    return ChangedAfter(*row)


def _of(side: str, names: Iterable[str]) -> str:
    return ", ".join(f"{side}.{name}" for name in names)


def _row(side: str, names: Iterable[str]) -> str:
    parts = ", ".join(f"'{name}', {side}.{quoted(name)}" for name in names)
    return f"jsonb_build_object({parts})"
