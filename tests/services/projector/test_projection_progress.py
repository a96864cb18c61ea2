"""What does a projector's start make of tables that hold less, or other columns, than declared?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra.backend import Endpoints
from projections.core import Projection, key, plain, total
from projections.core.fold import Group
from services.projector import database

pytestmark = pytest.mark.servers
READ = """
insert into hitotsu.checkpoint (grp, topic, partition, next_offset, applied)
values ('main', 'commerce.purchases', 0, 7, 7)
"""


def sold(version: int = 1, **columns: object) -> Projection:
    projection = Projection("sold", version=version)
    projection.table("units", sku=key("text"), units=total(), **columns)  # type: ignore[arg-type]
    return projection


def seen() -> Projection:
    projection = Projection("seen")
    projection.table("sightings", sku=key("text"), times=total())
    return projection


class Database:
    """A database of a test's own, prepared for one projection."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.connection = psycopg.connect(dsn, autocommit=True)

    def prepare(self, *projections: Projection) -> frozenset[str]:
        return database.prepare(self.dsn, Group("main", projections))

    def execute(self, statement: str) -> list[tuple[object, ...]]:
        cursor = self.connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    def columns(self, table: str) -> set[object]:
        rows = self.execute(
            f"select attname::text from pg_attribute where attrelid = 'main.{table}'::regclass"
            " and attnum > 0 and not attisdropped"
        )
        return {name for (name,) in rows}


@pytest.fixture
def own(servers: Endpoints, request: pytest.FixtureRequest) -> Iterator[Database]:
    name = f"progress_{abs(hash(request.node.name))}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    database = Database(make_conninfo(servers.postgres, dbname=name))
    assert database.prepare(sold()) == frozenset()
    yield database
    database.connection.close()


def test_a_new_projection_is_built_only_where_the_group_has_history(own: Database) -> None:
    assert own.prepare(sold(), seen()) == frozenset()
    own.execute("delete from hitotsu.projection_version where projection = 'seen'")
    own.execute(READ)
    assert own.prepare(sold(), seen()) == {"seen"}
    assert own.prepare(sold(), seen()) == {"seen"}
    reasons = own.execute("select projection, reason from hitotsu.projection_building")
    assert reasons == [("seen", "new")]


def test_a_new_table_and_a_new_column_have_their_projection_built(own: Database) -> None:
    own.execute(READ)
    wider = sold(sales=total())
    assert own.prepare(wider) == {"sold"}
    assert "sales" in own.columns("units")
    own.execute("delete from hitotsu.projection_building")
    assert own.prepare(wider) == frozenset()
    wider.table("returned", sku=key("text"), units=total())
    assert own.prepare(wider) == {"sold"}
    assert own.execute("select reason from hitotsu.projection_building") == [("table",)]


def noted(**more: Any) -> Projection:
    projection = Projection("noted")
    projection.ledger("notes", sku=plain("text"), **more)
    return projection


def test_a_later_column_is_added_and_nothing_is_built_for_it(own: Database) -> None:
    """Redis, whose rows lack the column, is filled again, once."""
    generation = "select generation from hitotsu.cache_generation"
    own.prepare(sold(), noted())
    own.execute(READ)
    named = "insert into hitotsu.cache_generation (grp, generation) values ('main', %s)"
    own.execute(named % "gen_random_uuid()")
    wider = noted(program=plain("text"), later=("program",))
    assert own.prepare(sold(), wider) == frozenset()
    assert "program" in own.columns("notes")
    assert own.execute(generation) == []
    own.execute(named % "gen_random_uuid()")
    assert own.prepare(sold(), wider) == frozenset()
    assert len(own.execute(generation)) == 1
    assert own.prepare(sold(), noted(other=plain("text"))) == {"noted"}


def test_a_new_column_of_a_group_without_history_is_just_there(own: Database) -> None:
    assert own.prepare(sold(sales=total())) == frozenset()
    assert "sales" in own.columns("units")


def test_a_raised_version_is_built_and_older_code_is_refused(own: Database) -> None:
    own.execute(READ)
    assert own.prepare(sold(version=2)) == {"sold"}
    with pytest.raises(database.VersionChanged, match="are being built as version 2"):
        own.prepare(sold())


def test_what_was_not_declared_for_a_while_is_built_when_it_comes_back(own: Database) -> None:
    own.execute(READ)
    assert own.prepare(seen()) == {"seen"}
    assert own.prepare(sold(), seen()) == {"sold", "seen"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("alter column units type text", "column units of table units has type text"),
        ("add column price bigint not null", "column price of table units is NOT NULL"),
    ],
)
def test_a_column_that_contradicts_the_declaration_is_named(
    own: Database, change: str, named: str
) -> None:
    own.execute(f"alter table main.units {change}")
    with pytest.raises(database.ColumnsDiffer, match=named):
        own.prepare(sold())
    own.execute(READ)
    with pytest.raises(database.ColumnsDiffer, match=named):
        own.prepare(sold())


def test_a_surplus_column_that_may_be_null_is_left_alone(own: Database) -> None:
    own.execute("alter table main.units add column price bigint")
    assert own.prepare(sold()) == frozenset()
