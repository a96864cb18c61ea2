"""What is copied into Postgres is what was meant, and Redis is told the same of it."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.backend import Endpoints
from projections.core import Projection, View, plain
from projections.core.copying import copy_encoder
from projections.core.showing import view_writer
from projections.core.sql import ddl, view_rows
from projections.core.tables import Ledger

pytestmark = pytest.mark.servers
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
BIG, SMALL = st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "uuid": st.binary(min_size=16, max_size=16),
    "bigint": BIG,
    "int": SMALL,
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "boolean": st.booleans(),
    "text": TEXT,
    "bytea": st.binary(max_size=12),
    "double precision": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "int[]": st.lists(SMALL, max_size=4),
    "bigint[]": st.lists(BIG, max_size=4),
    "text[]": st.lists(TEXT, max_size=4),
    "uuid[]": st.lists(st.binary(min_size=16, max_size=16), max_size=3),
}


def everything(by: str) -> Ledger:
    """A ledger with a column of every type."""
    columns = {f"c{at}": plain(kind) for at, kind in enumerate(KINDS)}
    return Projection("everything").ledger("everything", **columns, view=View(by=(by,)))


@st.composite
def rows(draw: st.DrawFn, nulls: bool) -> list[tuple[Any, ...]]:
    """Rows of that ledger: the key columns, then one of every type."""
    value = {kind: st.none() | one if nulls else one for kind, one in KINDS.items()}
    made = draw(st.lists(st.tuples(*value.values()), min_size=1, max_size=5))
    return [(uuid4().bytes, number, *row) for number, row in enumerate(made)]


@pytest.mark.parametrize("by", ["c0", "c5", "event_id"])
@pytest.mark.parametrize("nulls", [False, True])
def test_every_type_arrives_and_redis_is_told_the_same(
    by: str, nulls: bool, servers: Endpoints
) -> None:
    table = everything(by)
    encode, write = copy_encoder([part.type for part in table.stored]), view_writer(table)

    @settings(max_examples=40, deadline=None)
    @given(sent=rows(nulls))
    def check(sent: list[tuple[Any, ...]]) -> None:
        if nulls and by != "event_id":
            at = [part.name for part in table.stored].index(by)
            sent = [row for row in sent if row[at] is not None]
        with psycopg.connect(servers.postgres) as connection:
            connection.execute("create schema scratch; set local search_path = scratch")
            connection.execute(ddl(table).encode())
            with connection.cursor().copy("copy everything from stdin (format binary)") as copy:
                copy.write(encode(sent))
            found = connection.execute(view_rows(table, some=False).encode()).fetchall()
            connection.rollback()
        assert _said(found) == _said(write(sent))

    check()


def _said(rows: list[Any]) -> list[Any]:
    return sorted(
        ([key, field, version, json.loads(text)] for key, field, version, text in rows), key=str
    )
