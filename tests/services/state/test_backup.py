"""Does the list of what a backup must hold name every table that there is?"""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from services.state import backup
from services.state.migrate import MigrationError, migrate
from tests.services.state import catalog

SERVICES = Path(__file__).parents[3] / "services"


@pytest.mark.servers
def test_every_table_says_whether_a_backup_must_hold_it(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        migrate(connection)
        assert sorted(table.name for table in backup.tables()) == catalog.tables(connection)


def test_what_people_decided_and_what_was_promised_is_in_a_backup() -> None:
    kept = {table.name for table in backup.tables() if table.in_backup}
    assert kept >= {"answer", "outbox", "stock_hold", "points_hold", "points_decided"}
    assert kept >= {"subject_key", "api_token", "erasure", "dead_letter", "identity_case"}
    assert kept.isdisjoint({"checkpoint", "redis_pending", "match_features"})
    assert all(table.reason for table in backup.tables())


def test_a_create_table_without_the_line_is_refused_and_a_dropped_table_is_gone(
    tmp_path: Path,
) -> None:
    first = tmp_path / "0001_one.sql"
    first.write_text("create table if not exists hitotsu.one (n int);\n")
    with pytest.raises(MigrationError, match=r"0001_one: no line .* hitotsu\.one"):
        backup.tables(tmp_path)
    first.write_text("-- backup: yes; words\ncreate table hitotsu.one (n int);\n")
    assert [table.name for table in backup.tables(tmp_path)] == ["one", "migration"]
    (tmp_path / "0002_two.sql").write_text("drop table hitotsu.one;\n")
    assert [table.name for table in backup.tables(tmp_path)] == ["migration"]


def test_no_module_of_the_services_creates_durable_tables_by_itself() -> None:
    statement = re.compile(
        r"(create table|alter table|create (or replace )?view) (if (not )?exists )?hitotsu\.", re.I
    )
    found = {
        str(path.relative_to(SERVICES))
        for path in SERVICES.rglob("*.py")
        if statement.search(path.read_text("utf-8"))
    }
    assert found == {"state/migrate.py"}  # the record of what was applied
