"""Does everything that can be held behave as its declaration says, from the set-aside to the end?

One set of tests for all of them: they run for each declaration that a projection makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection, sql

from infra.backend import Endpoints
from projections.core import HeldAmounts
from projections.core.tables import Table
from services.deciding.hold_statements import declared, expire
from services.deciding.retention import TRIMS, trim
from services.invariants.catalogue import INVARIANTS
from services.projector import held_endings
from services.reading.held_amounts import statement
from services.runtime.db import conninfo
from tests.projections.driving import Engine
from tests.services.state.catalog import NEEDED, VALUES

pytestmark = [pytest.mark.servers, pytest.mark.timeout(60)]
TYPES = """
select attname::text, format_type(atttypid, atttypmod) from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped
"""
INDEXED = """
select count(*) from pg_index i
where i.indrelid = %s::regclass and i.indpred is not null
    and pg_get_indexdef(i.indexrelid) like '%%(applied_partition, applied_offset)%%'
"""
LEDGER = """
insert into ledger (event_id, hash, schema_id, topic, partition, "offset")
values (%s, 0, 0, 1, 0, 0)
"""
EVENT, LATER, PAST = uuid4(), "now() + interval '1 hour'", "now() - interval '1 hour'"
COMMON = {
    "id": "uuid",
    "state": "text",
    "expires_at": "timestamp with time zone",
    "created_at": "timestamp with time zone",
    "resolved_at": "timestamp with time zone",
    "applied_partition": "integer",
    "applied_offset": "bigint",
}


class Shelf:
    """A row that something is set aside beside, and the decisions about it."""

    def __init__(self, engine: Engine, held: HeldAmounts) -> None:
        self.engine, self.held = engine, held
        self.table = f"hitotsu.{held.decisions}"
        self.connection = engine.connection
        engine.reset()
        self.run(f"truncate {self.table}")
        self.run("update checkpoint set next_offset = 9, applied = 9")
        types = {name: held.beside.columns[name].type for name in held.by}
        self.by = {name: VALUES[type_] for name, type_ in types.items()}
        if isinstance(held.beside, Table):
            self._insert(held.beside.name, self.by)

    def run(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def decide(self, state: str, expires: str = LATER, ended_days_ago: int = 0) -> UUID:
        """A decision of one, as whoever decides stores it."""
        decision = uuid4()
        own = {self.held.by[name]: value for name, value in self.by.items()}
        self._insert(self.table, {**own, "id": decision, "state": state, self.held.amount: 1})
        ended = f"now() - make_interval(days => {ended_days_ago})"
        self.run(
            f"update {self.table} set expires_at = {expires}, created_at = {ended},"
            f" resolved_at = {ended} where id = %s",
            decision,
        )
        return decision

    def _insert(self, table: str, values: dict[str, Any]) -> None:
        needed = self.run(NEEDED, table)
        values = {name: VALUES[type_] for name, type_ in needed} | values
        self.connection.execute(
            sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier(*table.split(".")),
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(sql.Placeholder() * len(values)),
            ),
            [*values.values()],
        )

    def apply(self, decision: UUID) -> None:
        """What the projector does with the decision's fact, in the transaction that stores it."""
        named = {own: self.by[name] for name, own in self.held.by.items()} | {"id": decision}
        row = [*(named[own] for own in self.held.named), EVENT, 0, 9]
        self.run(held_endings.statement(self.held), *([value] for value in row))

    def state(self, decision: UUID) -> str:
        ((state,),) = self.run(f"select state from {self.table} where id = %s", decision)
        return str(state)

    def set_aside(self) -> int:
        """What counts now."""
        view, total = self.held.sums
        return int(self.run(f"select coalesce(sum({total}), 0)::int from hitotsu.{view}")[0][0])

    def told(self, read_to: int) -> list[Any]:
        """The marks of what a reader is told who has read each partition up to there."""
        key = next(iter(self.by.values()))
        values = {"keys": [key], "group": "main", "partitions": [0], "offsets": [read_to]}
        rows = self.connection.execute(statement(self.held).encode(), values).fetchall()
        return [row[-1] for row in rows]


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


@pytest.fixture(params=declared(), ids=lambda held: str(held.decisions))
def shelf(engine: Engine, request: pytest.FixtureRequest) -> Shelf:
    return Shelf(engine, request.param)


def test_its_table_has_the_columns_of_its_declaration(shelf: Shelf) -> None:
    held = shelf.held
    found = {str(name): str(type_) for name, type_ in shelf.run(TYPES, shelf.table)}
    mark = "bigint" if isinstance(held.beside, Table) else "uuid"
    expected = COMMON | {
        held.amount: "bigint",
        held.mark: mark,
        **{own: held.beside.columns[name].type for name, own in held.by.items()},
    }
    assert {name: found.get(name) for name in expected} == expected
    assert shelf.run(INDEXED, shelf.table)[0][0], "readers look for what was applied of late"


def test_it_counts_until_its_time_and_is_expired_then(shelf: Shelf) -> None:
    here, over = shelf.decide("open"), shelf.decide("open", expires=PAST)
    released, awaiting = shelf.decide("released"), shelf.decide(shelf.held.awaiting, expires=PAST)
    assert shelf.set_aside() == 2, "one in time, one whose fact is on its way"
    keys = [next(iter(shelf.by.values()))]
    ((now,),) = shelf.run("select now()")
    shelf.run(expire(shelf.held), keys, now)
    states = [shelf.state(each) for each in (here, over, released, awaiting)]
    assert states == ["open", "expired", "released", shelf.held.awaiting]


def test_its_fact_ends_it_and_readers_of_older_rows_still_count_it(shelf: Shelf) -> None:
    decision, other = shelf.decide(shelf.held.awaiting), shelf.decide("open")
    shelf.apply(decision)
    shelf.apply(other)  # a fact of what nobody decided ends nothing
    assert (shelf.state(decision), shelf.state(other)) == ("applied", "open")
    assert shelf.set_aside() == 1
    marks = {None, *([1] if isinstance(shelf.held.beside, Table) else [EVENT])}
    assert set(shelf.told(read_to=8)) == marks
    assert shelf.told(read_to=9) == [None]


async def test_it_is_kept_as_long_as_declared_and_what_counts_stays(shelf: Shelf) -> None:
    days = shelf.held.keep_days
    gone = [shelf.decide(state, PAST, days + 1) for state in ("released", "expired", "applied")]
    kept = [
        shelf.decide("released", PAST, days - 1),
        shelf.decide("open", LATER, days + 1),
        shelf.decide(shelf.held.awaiting, PAST, days + 1),
    ]
    (own,) = (each for each in TRIMS if each.table == shelf.table)
    async with await AsyncConnection.connect(shelf.engine.dsn, autocommit=True) as connection:
        assert await trim(connection, own) == len(gone)
    assert {row[0] for row in shelf.run(f"select id from {shelf.table}")} == set(kept)


async def test_that_it_ends_once_is_watched(shelf: Shelf) -> None:
    name = f"{shelf.held.decisions}_resolved_twice"
    (invariant,) = (each for each in INVARIANTS if each.name == name)
    right, wrong = shelf.decide("applied"), shelf.decide("applied")
    for state in ("open", "released", "expired", shelf.held.awaiting):
        shelf.decide(state)
    both = shelf.decide("released")
    for decision in (right, both):
        ((row,),) = shelf.run(f"select to_jsonb(t) from {shelf.table} t where id = %s", decision)
        shelf.run(LEDGER, shelf.held.fact_id({**row, "id": decision}))
    info = conninfo(shelf.engine.dsn, group="main")
    async with await AsyncConnection.connect(info, autocommit=True) as connection:
        keys = await invariant.keys(connection, None, 100)
        broken = await invariant.broken(connection, keys)
    assert len(keys) == 7
    assert set(broken) == {(wrong,), (both,)}
