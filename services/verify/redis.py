"""Compares Redis with Postgres, field by field in both directions, while events keep arriving.

Redis is written after the commit in Postgres. So a difference is read again from both until it
disappears, is stable, or `SETTLE_SECONDS` have passed. A field with an empty payload in Redis is a
deleted row.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from redis import Redis
from redis.exceptions import RedisError

from projections.core.sql import quoted
from projections.core.tables import Ledger, StoredTable
from services.runtime.db import conninfo
from services.verify.report import Difference, VerifyReport
from services.verify.snapshot import CHECKPOINTS

SETTLE_SECONDS = 30.0
STILL = 3
CHUNK = 500
REDIS = "redis"
Fields = dict[str, tuple[int, Any]]
Connection = psycopg.Connection[TupleRow]


class RedisComparison:
    """Compares the views of one group in Redis with its tables in Postgres.

    `versions`: of the projections, by name.
    """

    def __init__(
        self, dsn: str, url: str, group: str, versions: Mapping[str, int], report: VerifyReport
    ) -> None:
        self._group, self._versions, self._report = group, versions, report
        info = conninfo(dsn, group=group, name="hitotsu-verify")
        self._connection: Connection = psycopg.connect(info, autocommit=True)
        self._redis: Redis = Redis.from_url(
            url, decode_responses=True, socket_timeout=20, socket_connect_timeout=5
        )

    def close(self) -> None:
        """Closes both connections."""
        self._connection.close()
        self._redis.close()

    def compare(self, tables: Iterable[StoredTable]) -> None:
        """Compares generation, position and every view of `tables`; adds differences to the report.

        If the generation or the position is wrong, no view is compared. An error of Redis is a
        difference too, and ends the comparison.
        """
        try:
            if self._believed() and self._reached():
                for table in tables:
                    if table.view is not None:
                        self._table(table)
        except (RedisError, OSError) as error:
            self._says("server", (), "an answer", type(error).__name__)

    def _says(self, table: str, key: tuple[str, ...], expected: Any, found: Any) -> None:
        self._report.add(Difference(REDIS, table, key, expected, found))

    def _believed(self) -> bool:
        """Waits until Redis has the generation that Postgres names; False if it does not in time.

        Without that generation, Redis is being refilled and readers ignore it.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            row = self._connection.execute(
                "select generation::text from cache_generation where grp = %s", [self._group]
            ).fetchone()
            named = row[0] if row else None
            held = self._redis.get(f"hitotsu:generation:{self._group}")
            if named is not None and held == named:
                return True
            if time.monotonic() > deadline:
                self._says("generation", (self._group,), named, held)
                return False
            time.sleep(0.5)

    def _reached(self) -> bool:
        """Waits until Redis has the position that Postgres has now; False if it does not in time,
        or is ahead of Postgres.
        """
        wanted = self._checkpoints()
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            held = self._redis.hgetall(f"hitotsu:position:{self._group}")
            now = self._checkpoints()
            wrong = {
                place: (offset, int(held.get(place, 0)))
                for place, offset in wanted.items()
                if not offset <= int(held.get(place, 0)) <= now[place]
            }
            if not wrong or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        for place, (offset, found) in wrong.items():
            self._says("position", (place,), offset, found)
        return not wrong

    def _checkpoints(self) -> dict[str, int]:
        rows = self._connection.execute(CHECKPOINTS, [self._group]).fetchall()
        return {f"{row[0]}-{row[1]}": row[2] for row in rows}

    def _table(self, table: StoredTable) -> None:
        prefix = f"h1:{table.name}:{self._versions[table.projection]}:"
        due: set[str] = set()
        known: set[int] = set()
        for chunk in _chunks(self._stored(table, None)):
            held = self._held(prefix, [by for by, _ in chunk])
            for by, fields in chunk:
                known.add(hash(by))
                self._report.fields[table.name] = self._report.fields.get(table.name, 0) + len(
                    fields
                )
                if held.get(by, {}) != fields:
                    due.add(by)
        for key in self._redis.scan_iter(f"{prefix}*", count=5_000):
            by = key.removeprefix(prefix)
            if hash(by) not in known:
                due.add(by)
        self._settle(table, prefix, due)

    def _settle(self, table: StoredTable, prefix: str, due: set[str]) -> None:
        """Reads the hashes `due` again until they are equal, or stable while no write is pending.

        Reports what then still differs.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        before: dict[str, tuple[Fields, Fields]] = {}
        still = 0
        while due:
            wrong = self._wrong(table, prefix, sorted(due))
            due = set(wrong)
            still = still + 1 if wrong == before else 0
            before = wrong
            if time.monotonic() > deadline or (still >= STILL and not self._owed()):
                break
            if due:
                time.sleep(1.0)
        for by, (expected, found) in sorted(before.items()):
            for field in sorted(expected.keys() | found.keys()):
                one, other = expected.get(field), found.get(field)
                if one != other and not self._named(table, (by, field), other):
                    self._says(table.name, (by, field), _said(one), _said(other))

    def _wrong(
        self, table: StoredTable, prefix: str, listed: list[str]
    ) -> dict[str, tuple[Fields, Fields]]:
        """Those of the `listed` hashes that differ: content in Postgres, content in Redis."""
        wrong: dict[str, tuple[Fields, Fields]] = {}
        for start in range(0, len(listed), CHUNK):
            some = listed[start : start + CHUNK]
            stored, held = dict(self._stored(table, some)), self._held(prefix, some)
            for by in some:
                if stored.get(by, {}) != held.get(by, {}):
                    wrong[by] = (stored.get(by, {}), held.get(by, {}))
        return wrong

    def _owed(self) -> bool:
        """Whether writes of a projector to Redis are still pending."""
        row = self._connection.execute(
            "select exists (select from redis_pending where grp = %s)", [self._group]
        ).fetchone()
        return bool(row and row[0])

    def _named(
        self, table: StoredTable, key: tuple[str, str], found: tuple[int, Any] | None
    ) -> bool:
        """Whether Redis is right: its row is the expected one, and the wrong row of Postgres has
        been reported already.
        """
        right = self._report.right
        at = (table.name, key)
        return at in right and right[at] == (None if found is None else found[1])

    def _stored(self, table: StoredTable, some: list[str] | None) -> Iterator[tuple[str, Fields]]:
        """Postgres' rows by hash key: of the keys `some`, or of the whole table; in key order."""
        assert table.view is not None
        by = table.view.by[0]
        rest = [f"{quoted(name)}::text" for name in table.keys if name != by]
        version = "1::bigint" if isinstance(table, Ledger) else "row_version"
        # a row whose column is null is in no hash
        where = f" where {quoted(by)} is not null"
        if some is not None:
            where += f" and {quoted(by)} = any(%s::{_type(table, by)}[])"
        statement = (
            f"select {quoted(by)}::text, concat_ws('|', {', '.join(rest) or chr(39) * 2}),"
            f" {version}, json_build_array({_payload(table)})::text from {quoted(table.name)}"
            f"{where} order by {quoted(by)}"
        )
        with self._connection.transaction(), self._connection.cursor(name="shown") as cursor:
            cursor.itersize = 5_000
            cursor.execute(statement.encode(), [] if some is None else [some])
            for key, rows in groupby(cursor, key=lambda row: str(row[0])):
                yield key, {row[1]: (row[2], json.loads(row[3])) for row in rows}

    def _held(self, prefix: str, some: list[str]) -> dict[str, Fields]:
        pipeline = self._redis.pipeline(transaction=False)
        for by in some:
            pipeline.hgetall(prefix + by)
        return {by: _fields(held) for by, held in zip(some, pipeline.execute(), strict=True)}


def _type(table: StoredTable, name: str) -> str:
    return table.columns[name].type


def _payload(table: StoredTable) -> str:
    """The view's columns, in the order in which Redis stores them."""
    names = []
    for name in (*table.keys, *table.values):
        more = ("", "_read", "_read_at") if table.columns[name].kind == "level" else ("",)
        cast = "::json" if table.columns[name].type == "json" else ""
        names += [quoted(name + part) + cast for part in more]
    return ", ".join(names)


def _fields(held: Mapping[str, str]) -> Fields:
    fields: Fields = {}
    for name, value in held.items():
        stamp, _, payload = value.partition("|")
        if payload:
            fields[name] = (int(stamp) if stamp.isdecimal() else -1, _parsed(payload))
    return fields


def _parsed(payload: str) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload


def _said(field: tuple[int, Any] | None) -> Any:
    return None if field is None else {"row_version": field[0], "row": field[1]}


def _chunks(rows: Iterator[tuple[str, Fields]]) -> Iterator[list[tuple[str, Fields]]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk
