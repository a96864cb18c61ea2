"""Rows are the same from Redis and from a plain reading of their JSON, for every table there is."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from projections import discover
from projections.core.sql import visible
from projections.core.tables import StoredTable
from services.reading.rows import from_view, parsed

TABLES = [table for projection in discover() for table in projection.tables]
ID = UUID("0190a6f0-0000-7000-8000-000000000001")
TOLD: dict[str, tuple[Any, Any]] = {  # by type, what JSON holds and what a query is given
    "uuid": (str(ID), ID),
    "uuid[]": ([str(ID), None], [ID, None]),
    "bytea": ("\\x00ff", b"\x00\xff"),
    "text": ("a|b,\"'{}é\u2028", "a|b,\"'{}é\u2028"),
    "boolean": (True, True),
    "double precision": (0.1, 0.1),
}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_row_is_what_its_json_says(table: StoredTable) -> None:
    columns = visible(table)
    full = {column.name: TOLD.get(column.type, (2**62 + 1, 2**62 + 1)) for column in columns}
    empty = {
        column.name: full[column.name] if column.name in table.keys else (None, None)
        for column in columns
    }
    for values in (full, empty):
        payload = json.dumps([told for told, _ in values.values()], ensure_ascii=False)
        (row,) = from_view(table, [f"7|{payload}", "8|"])
        version = {"row_version": 7} if table.versioned else {}
        assert row == {name: read for name, (_, read) in values.items()} | version
    assert parsed(table, []) == []
    with pytest.raises(ValueError, match="unpack"):
        parsed(table, ["[]"], [1] if table.versioned else [])


@pytest.mark.parametrize(
    "table", [one for one in TABLES if one.later], ids=lambda table: table.name
)
def test_a_row_of_before_the_later_columns_has_null_in_them(table: StoredTable) -> None:
    """Beside a row of now, in either order."""
    told = [TOLD.get(column.type, (7, 7))[0] for column in visible(table)]
    payloads = [json.dumps(told), json.dumps(told[: -len(table.later)])]
    for order in (payloads, payloads[::-1]):
        rows = parsed(table, order)
        later = [[row[name] for name in table.later] for row in rows]
        assert sorted(later, key=repr) == sorted(
            [told[-len(table.later) :], [None] * len(table.later)], key=repr
        )
