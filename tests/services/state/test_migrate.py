"""Are all tables of durable state made by migrations, from nothing and from every former state?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import psycopg
import pytest

from services.state import migrate as migrate_module
from services.state.migrate import MigrationError, applied, migrate, migrations
from tests.services.state.catalog import catalog, fill, rows, tables

FORMER = sorted((Path(__file__).parent / "former").glob("*.sql"))
NAMES = [file.name for file in migrations()]
# by former state or migration, tables whose rows do not stay, because they follow from the log
RESET = {
    ("1_engine", "redis_pending"),
    ("1_engine", "cache_generation"),
    ("5_matching", "match_features"),
}
# columns that a later migration drops
GONE = {"outbox": {"headers"}, "points_due": {"owner_id"}, "points_sweep": {"single"}}


@pytest.mark.servers
def test_an_empty_database_gets_every_table_and_a_second_run_does_nothing(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        assert migrate(connection) == NAMES
        made, recorded = catalog(connection), applied(connection)
        assert [row.name for row in recorded] == NAMES
        assert migrate(connection) == []
        assert (catalog(connection), applied(connection)) == (made, recorded)


@pytest.mark.servers
@pytest.mark.parametrize("former", FORMER, ids=lambda path: path.stem)
def test_a_filled_database_of_an_older_release_keeps_its_rows_and_gets_the_tables_of_now(
    database: str, former: Path
) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(former.read_text("utf-8").encode())
        before = fill(connection)
        assert {len(kept) for kept in before.values()} == {1}
        assert migrate(connection) == NAMES
        after, upgraded = rows(connection), catalog(connection)
        connection.execute("drop schema hitotsu cascade")
        migrate(connection)
        assert upgraded == catalog(connection)
    for table, (old,) in before.items():
        if (former.stem, table) in RESET:
            assert after[table] == []
            continue
        (new,) = after[table]
        gone = GONE.get(table, set())
        assert {name: new.get(name) for name in old if name not in gone} == {
            name: value for name, value in old.items() if name not in gone
        }
    if "role" not in before["api_token"][0]:
        assert after["api_token"][0]["role"] == "ec"


@pytest.mark.servers
@pytest.mark.parametrize("number", range(2, len(NAMES) + 1))
def test_each_migration_keeps_the_rows_of_the_tables_before_it(
    database: str, tmp_path: Path, number: int
) -> None:
    for file in migrations()[: number - 1]:
        (tmp_path / f"{file.name}.sql").write_text(file.text, "utf-8")
    with psycopg.connect(database, autocommit=True) as connection:
        assert migrate(connection, tmp_path) == NAMES[: number - 1]
        fill(connection, but="migration")
        before = rows(connection)
        assert migrate(connection) == NAMES[number - 1 :]
        after = rows(connection)
    for table, stored in before.items():
        if table == "migration" or (NAMES[number - 1], table) in RESET:
            continue
        ((old,), (new,)) = (stored, after.get(table, stored))
        common = old.keys() & new.keys()
        assert {name: new[name] for name in common} == {name: old[name] for name in common}


@pytest.mark.servers
def test_of_several_that_migrate_at_once_exactly_one_applies_each_file(database: str) -> None:
    barrier = Barrier(4)

    def run(_: int) -> list[str]:
        with psycopg.connect(database, autocommit=True) as connection:
            barrier.wait(10)
            return migrate(connection)

    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(run, range(4)))
    assert sorted(done) == [[], [], [], NAMES]


@pytest.mark.servers
def test_a_file_that_fails_leaves_nothing_and_the_next_run_goes_on_there(
    database: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_one.sql").write_text("create table hitotsu.one (n int);")
    second = tmp_path / "0002_two.sql"
    second.write_text("create table hitotsu.two (n int); select 1 / 0;")
    with psycopg.connect(database, autocommit=True) as connection:
        with pytest.raises(MigrationError, match=r"0002_two was not applied \(22012\): division"):
            migrate(connection, tmp_path)
        assert tables(connection) == ["migration", "one"]
        assert [row.name for row in applied(connection)] == ["0001_one"]
        second.write_text("create table hitotsu.two (n int);")
        assert migrate(connection, tmp_path) == ["0002_two"]
        assert tables(connection) == ["migration", "one", "two"]
        held = "select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        assert connection.execute(held).fetchall() == []


@pytest.mark.servers
def test_a_changed_file_and_a_newer_database_are_refused_by_name(
    database: str, tmp_path: Path
) -> None:
    first, second = tmp_path / "0001_one.sql", tmp_path / "0002_two.sql"
    first.write_text("create table hitotsu.one (n int);")
    second.write_text("create table hitotsu.two (n int);")
    with psycopg.connect(database, autocommit=True) as connection:
        migrate(connection, tmp_path)
        first.write_text("create table hitotsu.one (n bigint);")
        with pytest.raises(MigrationError, match=r"0001_one was applied on \S+ and has changed"):
            migrate(connection, tmp_path)
        first.write_text("create table hitotsu.one (n int);")
        second.unlink()
        with pytest.raises(MigrationError, match=r"has migration 0002_two.*start the newer code"):
            migrate(connection, tmp_path)


@pytest.mark.servers
def test_a_migration_gives_up_where_another_transaction_holds_its_tables(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate_module, "LOCK_TIMEOUT", "set local lock_timeout = '100ms'")
    (tmp_path / "0001_one.sql").write_text("create table hitotsu.one (n int);")
    with (
        psycopg.connect(database, autocommit=True) as connection,
        psycopg.connect(database) as reader,
    ):
        migrate(connection, tmp_path)
        (tmp_path / "0002_two.sql").write_text("alter table hitotsu.one add column m int;")
        reader.execute("select from hitotsu.one")
        with pytest.raises(MigrationError, match="0002_two was not applied: another transaction"):
            migrate(connection, tmp_path)
        reader.rollback()
        assert migrate(connection, tmp_path) == ["0002_two"]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["0001_one.sql", "0003_three.sql"], "0003_three: expected number 0002"),
        (["0001_one.sql", "0001_other.sql"], "0001_other: expected number 0002"),
        (["one.sql"], "one.sql: a migration is named NNNN_words.sql"),
    ],
)
def test_numbers_have_no_gap_and_no_double(tmp_path: Path, names: list[str], wanted: str) -> None:
    for name in names:
        (tmp_path / name).write_text("select 1;")
    with pytest.raises(MigrationError, match=wanted):
        migrations(tmp_path)


def test_the_line_ends_of_a_checkout_change_no_checksum(tmp_path: Path) -> None:
    file = tmp_path / "0001_one.sql"
    file.write_bytes(b"select 1;\nselect 2;\n")
    (unix,) = migrations(tmp_path)
    file.write_bytes(b"select 1;\r\nselect 2;\r\n")
    assert migrations(tmp_path)[0].checksum == unix.checksum
