"""What is copied into Postgres is what was meant, and Redis is told the same of it.

Where the C way was built it and the Python way make the same bytes, and refuse the same rows.
"""

from __future__ import annotations

import json
import struct
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.backend import Endpoints
from projections.core import Projection, View, key, plain
from projections.core.arrays import ARRAYS, plain_array
from projections.core.columns import TYPES, Stored, span_text
from projections.core.documents import DocumentSet, packed
from projections.core.redis_rows import (
    ROWS_PER_CHUNK,
    Chunks,
    plain_told,
    plain_writer,
    told,
    view_writer,
)
from projections.core.row_copy import copy_encoder, plain_encoder
from projections.core.sql import ddl, view_rows, wire_type
from projections.core.tables import Ledger
from schemas.wire.compiled_codec import native
from services.runtime.arrays import array
from tests.drawn import examples
from tests.projections.shown import rows_of

_row_copy = native("projections.core._row_copy")
_redis_rows = native("projections.core._redis_rows")

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


@pytest.mark.servers
@pytest.mark.parametrize("by", ["c0", "c5", "event_id"])
@pytest.mark.parametrize("nulls", [False, True])
def test_every_type_arrives_and_redis_is_told_the_same(
    by: str, nulls: bool, servers: Endpoints
) -> None:
    table = everything(by)
    types = [part.type for part in table.stored]
    encode, write = copy_encoder(types), view_writer(table, "h1:一:")
    encode_plainly, write_plainly = plain_encoder(types), plain_writer(table, "h1:一:")

    @settings(max_examples=examples(40), deadline=None)
    @given(sent=rows(nulls))
    def check(sent: list[tuple[Any, ...]]) -> None:
        if nulls and by != "event_id":
            at = [part.name for part in table.stored].index(by)
            sent = [row for row in sent if row[at] is not None]
        assert encode(sent) == encode_plainly(sent)
        assert write(sent) == write_plainly(sent)
        with psycopg.connect(servers.postgres) as connection:
            connection.execute("create schema scratch; set local search_path = scratch")
            connection.execute(ddl(table).encode())
            with connection.cursor().copy("copy everything from stdin (format binary)") as copy:
                copy.write(encode(sent))
            found = connection.execute(view_rows(table, some=False).encode()).fetchall()
            connection.rollback()
        shown = write(sent)
        firsts, newer = told("h1:一:", found)
        assert not newer
        assert _said(firsts) == _said(shown.chunks)
        assert sorted(json.loads(shown.keys)) == sorted(str(row[0]) for row in found)

    check()


def documents_shown_by(by: str) -> DocumentSet:
    """A set of documents whose summary has columns of several types."""
    return Projection("everything").documents(
        "everything",
        id=key("uuid"),
        c0=plain("uuid"),
        c1=plain("text"),
        c2=plain("bigint"),
        summary=lambda _, documents: {},
        view=View(by=(by,)),
    )


SET_ROW = st.tuples(
    st.binary(min_size=16, max_size=16),
    st.dictionaries(TEXT, st.lists(TEXT | BIG, max_size=3), max_size=2).map(packed),
    st.none() | KINDS["uuid"], st.none() | TEXT, st.none() | BIG,
)  # fmt: skip


@pytest.mark.servers
@pytest.mark.parametrize("by", ["id", "c0", "c1"])
def test_redis_is_told_of_new_sets_what_postgres_would_tell(by: str, servers: Endpoints) -> None:
    table = documents_shown_by(by)
    at = [part.name for part in table.stored].index(by)
    encode = copy_encoder([*(part.type for part in table.stored), "bigint"])
    write, write_plainly = view_writer(table, "h1:一:"), plain_writer(table, "h1:一:")

    @settings(max_examples=examples(40), deadline=None)
    @given(sent=st.lists(SET_ROW, min_size=1, max_size=5, unique_by=lambda row: row[0]))
    def check(sent: list[tuple[Any, ...]]) -> None:
        sent = [row for row in sent if row[at] is not None]
        assert write(sent) == write_plainly(sent)
        with psycopg.connect(servers.postgres) as connection:
            connection.execute("create schema scratch; set local search_path = scratch")
            connection.execute(ddl(table).encode())
            with connection.cursor().copy(
                "copy everything (id, documents, c0, c1, c2, row_version)"
                " from stdin (format binary)"
            ) as copy:
                copy.write(encode((*row, 1) for row in sent))
            found = connection.execute(view_rows(table, some=False).encode()).fetchall()
            connection.rollback()
        shown = write(sent)
        firsts, _ = told("h1:一:", found)
        assert _said(firsts) == _said(shown.chunks)
        assert set(json.loads(shown.keys)) == {str(row[0]) for row in found}

    check()


def _said(chunks: Chunks) -> list[Any]:
    return sorted(
        ([key, field, version, json.loads(text)] for key, field, version, text in rows_of(chunks)),
        key=str,
    )


ROWS = st.lists(st.tuples(TEXT, TEXT, st.sampled_from([1, 2, 2**62]), TEXT), max_size=12)


@given(made=ROWS, times=st.sampled_from([1, 200]))
def test_rows_that_postgres_told_go_out_the_same_either_way(
    made: list[tuple[str, str, int, str]], times: int
) -> None:
    first, newer = plain_told("h1:", iter(made * times))
    assert told("h1:", iter(made * times)) == (first, newer)
    assert all(0 < rows <= ROWS_PER_CHUNK for rows, _ in first + newer)
    shown = [("h1:" + key, *rest) for key, *rest in made * times]
    assert rows_of(first) == [row for row in shown if row[2] == 1]
    assert rows_of(newer) == [row for row in shown if row[2] != 1]


@pytest.mark.servers
@pytest.mark.parametrize("nulls", [False, True])
def test_every_column_arrives_as_an_array(nulls: bool, servers: Endpoints) -> None:
    kinds = {**KINDS, "int8multirange": st.lists(st.integers(-(2**40), 2**40), max_size=4)}
    if nulls:
        kinds["text[]"] = st.lists(st.none() | TEXT, max_size=4)
    assert {*kinds, "json"} == TYPES
    column = st.sampled_from(sorted(kinds)).flatmap(
        lambda kind: st.tuples(
            st.just(kind), st.lists(st.none() | kinds[kind] if nulls else kinds[kind], max_size=6)
        )
    )

    @settings(max_examples=examples(200), deadline=None)
    @given(column=column)
    def check(column: tuple[str, list[Any]]) -> None:
        kind, values = column
        if kind in ARRAYS:
            assert array(kind, values) == plain_array(kind, values)
        sent, shown = kind if kind in ARRAYS else "text", "text" if "multi" in kind else kind
        found = connection.execute(
            f"select x::{kind}::{shown} from unnest(%s::{sent}[])"
            " with ordinality as one(x, at) order by at".encode(),
            [array(kind, values)],
            prepare=True,
        ).fetchall()
        if kind == "int8multirange":
            values = [None if value is None else span_text(value) for value in values]
        assert [_plain(row[0]) for row in found] == values

    with psycopg.connect(servers.postgres) as connection:
        check()


def _plain(value: Any) -> Any:
    """A value as handlers give it: ids are bytes."""
    return [_plain(one) for one in value] if isinstance(value, list) else _bytes(value)


def _bytes(value: Any) -> Any:
    return value.bytes if isinstance(value, UUID) else value


def test_what_cannot_be_an_array_goes_as_text() -> None:
    """The statements' casts and the values sent agree on it."""
    # a column of documents is stored as text
    sent = {kind: wire_type(Stored("c", kind, "")) for kind in TYPES - {"json"}}
    assert {kind for kind, as_type in sent.items() if kind == as_type} == set(ARRAYS)
    assert {as_type for kind, as_type in sent.items() if kind != as_type} == {"text"}


REFUSED: list[tuple[str, Any, type[Exception]]] = [
    ("uuid", "sixteen letters.", TypeError),
    ("uuid", 5, TypeError),
    ("bigint", "1", TypeError),
    ("bigint", 1.5, TypeError),
    ("bigint", 2**63, OverflowError),
    ("bigint", -(2**63) - 1, OverflowError),
    ("bigint", 10**400, OverflowError),
    ("int", 2**31, OverflowError),
    ("int", -(2**31) - 1, OverflowError),
    ("smallint", 2**15, OverflowError),
    ("smallint", -(2**15) - 1, OverflowError),
    ("double precision", "1", TypeError),
    ("double precision", 10**400, OverflowError),
    ("boolean", "t", TypeError),
    ("text", b"bytes", TypeError),
    ("text", 5, TypeError),
    ("text", "half \ud83d", UnicodeEncodeError),
    ("bytea", "text", TypeError),
    ("bytea", 5, TypeError),
    ("int[]", 5, TypeError),
    ("int[]", [1, 2**31], OverflowError),
    ("int[]", [1, "2"], TypeError),
    ("int[]", [None], TypeError),
    ("bigint[]", [2**64], OverflowError),
    ("uuid[]", ["sixteen letters."], TypeError),
    ("text[]", [b"bytes"], TypeError),
    ("text[]", ["half \ud83d"], UnicodeEncodeError),
]
# the Python way finds out by what its structs and methods say
PLAINLY = (struct.error, TypeError, ValueError, OverflowError, AttributeError, KeyError)


@pytest.mark.parametrize(("kind", "value", "error"), REFUSED)
def test_what_does_not_fit_is_refused(kind: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(PLAINLY):
        plain_encoder([kind])([(value,)])
    if _row_copy:
        with pytest.raises(error):
            _row_copy.copier([kind])([(value,)])
    if kind in ARRAYS:
        with pytest.raises(PLAINLY):
            plain_array(kind, [None, value])
        if _row_copy:
            with pytest.raises(error):
                _row_copy.array(kind, [None, value])


@pytest.mark.parametrize("encode", [plain_encoder, copy_encoder])
@pytest.mark.parametrize("row", [(), (1,), (1, 2, 3)])
def test_rows_of_another_length_are_refused(encode: Any, row: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError):
        encode(["int", "int"])([(1, 2), row])


def test_an_id_has_sixteen_bytes() -> None:
    for make in (plain_array, array):
        for ids in ([bytes(15)], [bytes(15), bytes(17)], [None, bytes(17)]):
            with pytest.raises(ValueError):
                make("uuid", ids)


built = pytest.mark.skipif(_row_copy is None, reason="the C way was not built")


@built
def test_the_c_way_refuses_what_it_was_not_made_for() -> None:
    assert _row_copy is not None
    assert _redis_rows is not None
    copier, pack, told = _row_copy.copier, _row_copy.array, _redis_rows.told

    def viewer(types: Any, by: int, other: Any) -> Any:
        return _redis_rows.viewer(types, by, other, "h1:")

    ledger = ["uuid", "smallint", "text"]
    refused: list[tuple[type[Exception], Any]] = [
        (ValueError, lambda: copier([])),
        (ValueError, lambda: copier(["jsonb"])),
        (ValueError, lambda: copier(["uuid[][]"])),
        (ValueError, lambda: copier(["uuid\0"])),
        (ValueError, lambda: copier(["smallint[]"])),
        (ValueError, lambda: copier(["int"] * 40_000)),
        (TypeError, lambda: copier([5])),
        (TypeError, lambda: copier(5)),
        (TypeError, lambda: copier(["int"])(5)),
        (TypeError, lambda: copier(["int"])([5])),
        (TypeError, lambda: copier(["int"])()),
        (ValueError, lambda: copier(["uuid"])([(bytes(15),)])),
        (ZeroDivisionError, lambda: copier(["int"])((1 // n,) for n in (1, 0))),
        (ValueError, lambda: pack("int[]", [])),
        (TypeError, lambda: pack("int", 5)),
        (TypeError, lambda: pack(5, [])),
        (ValueError, lambda: viewer(["uuid"], 0, str)),
        (ValueError, lambda: viewer(ledger, 3, str)),
        (ValueError, lambda: viewer(ledger, -1, str)),
        (ValueError, lambda: viewer(["int", "int"], 0, str)),
        (ValueError, lambda: _redis_rows.viewer(["text"], 0, str, "", False)),
        (TypeError, lambda: _redis_rows.viewer(["uuid", "json"], 0, str, "", False)([(5, "")])),
        (ValueError, lambda: viewer(ledger, 2, str)([(bytes(16), 1)])),
        (ValueError, lambda: viewer(ledger, 2, str)([(bytes(15), 1, "a")])),
        (TypeError, lambda: viewer(ledger, 2, str)([(bytes(16), 1, 5)])),
        (TypeError, lambda: viewer(ledger, 2, str)([(None, 1, "a")])),
        (UnicodeEncodeError, lambda: viewer(ledger, 2, str)([(bytes(16), 1, "\ud83d")])),
        (TypeError, lambda: viewer([*ledger, "int[]"], 2, str)([(bytes(16), 1, "a", 5)])),
        (TypeError, lambda: viewer([*ledger, "odd"], 2, lambda *_: 5)([(bytes(16), 1, "a", 5)])),
        (TypeError, lambda: viewer([*ledger, "odd"], 2, str)([(bytes(16), 1, "a", 5)])),
        (ValueError, lambda: viewer([*ledger, "odd"], 2, None)),
        (TypeError, lambda: _redis_rows.viewer(ledger, 2, str, None)),
        (TypeError, lambda: told(None, [])),
        (TypeError, lambda: told("", 5)),
        (ValueError, lambda: told("", [("a", "b", 1)])),
        (ValueError, lambda: told("", [["a", "b", 1, "c"]])),
        (TypeError, lambda: told("", [("a", "b", "1", "c")])),
        (TypeError, lambda: told("", [("a", None, 1, "c")])),
        (TypeError, lambda: told("", [("a", "b", 1, b"c")])),
        (OverflowError, lambda: told("", [("a", "b", 2**70, "c")])),
        (UnicodeEncodeError, lambda: told("", [("a", "\ud83d", 1, "c")])),
        (ZeroDivisionError, lambda: told("", (("a", "b", 1 // n, "c") for n in (1, 0)))),
    ]
    for error, act in refused:
        with pytest.raises(error):
            act()


@built
def test_what_changes_while_it_is_packed_does_no_harm() -> None:
    assert _redis_rows is not None
    row: list[Any] = [bytes(16), 1, 5, ["a"] * 3]

    def other(type: str, value: Any) -> str:
        row.clear()
        return f"{type} {value}"

    view = _redis_rows.viewer(["uuid", "int", "odd", "text[]"], 1, other, "")
    chunks, _ = view([row])
    assert rows_of(chunks)[0][3].endswith(', 1, odd 5, ["a", "a", "a"]]')
