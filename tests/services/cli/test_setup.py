"""Tables that are newer than the code are one sentence, with the verb that mends them."""

from __future__ import annotations

import base64

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra.backend import Endpoints, ProviderError
from projections import discover, of_group
from projections.core.fold import Group
from services.cli import setup
from services.projector import database
from services.rebuild.fold import CannotRebuild
from services.rebuild.rejudge import Rejudge
from services.rebuild.run import Rebuild
from services.runtime.config import Settings


@pytest.mark.servers
def test_tables_of_a_newer_version_are_named_with_what_to_run(servers: Endpoints) -> None:
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute("create database of_another_version")
    dsn = make_conninfo(servers.postgres, dbname="of_another_version")
    database.prepare(dsn, Group("main", of_group("main", "main")))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "update hitotsu.projection_version set version = 9 where projection = 'terminal_gaps'"
        )
    settings = _settings(servers, dsn)
    wanted = r"terminal_gaps is declared as version \d, but its tables have version 9: start the"
    with pytest.raises(ProviderError, match=wanted):
        setup.prepare(settings)


BEFORE_THE_MOVE = """
delete from hitotsu.projection_building;
delete from hitotsu.projection_version where projection in ('purchases', 'catalog');
insert into hitotsu.checkpoint (grp, topic, partition, next_offset, applied)
values ('main', 'commerce.purchases', 0, 1, 1) on conflict do nothing;
insert into hitotsu.projection_version values
    ('main', 'purchase_suppression', 2), ('main', 'shared_stock', 2)
on conflict (grp, projection) do update set version = excluded.version
"""
FORMER_IS_BUILT = """
insert into hitotsu.projection_building (grp, projection, version, reason)
values ('main', 'purchase_suppression', 2, 'new')
"""
VERSIONS = "select projection, version from hitotsu.projection_version where grp = 'main'"


@pytest.mark.servers
def test_tables_that_moved_to_another_projection_hold_what_it_had_read(
    servers: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute("create database of_moved_tables")
    dsn = make_conninfo(servers.postgres, dbname="of_moved_tables")
    declared = of_group("main", "main")
    (catalog,) = (one for one in declared if one.name == "catalog")
    monkeypatch.setattr(catalog, "version", 2)  # that of the move
    group = Group("main", declared)
    database.prepare(dsn, group)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(BEFORE_THE_MOVE)
        # purchases and stock have newer versions than the tables that moved
        newer = {"purchases", "shared_stock"}
        assert database.prepare(dsn, group) == newer
        versions: dict[str, int] = dict(connection.execute(VERSIONS).fetchall())
        assert versions["catalog"] == 2
        # tables of a version before the move are as old under their new projection
        connection.execute(BEFORE_THE_MOVE.replace("_suppression', 2", "_suppression', 1"))
        assert database.prepare(dsn, group) == {"catalog", *newer}
        # what was being built had not read everything
        connection.execute(BEFORE_THE_MOVE)
        connection.execute(FORMER_IS_BUILT)
        assert database.prepare(dsn, group) == {"catalog", *newer}


def test_tables_that_moved_are_of_a_version_that_is_built_from_the_log() -> None:
    versions = {t.name: one.version for one in discover() for t in one.tables}
    # they moved in version 2; codes have one form since 3
    moved = ("item", "need_policy", "location")
    assert {name: versions[name] for name in moved} == dict.fromkeys(moved, 3)


HOLDS_OF_BEFORE = """
drop table hitotsu.migration;
alter table hitotsu.stock_hold drop column applied_version, drop column applied_partition,
    drop column applied_offset, drop column position;
alter table hitotsu.points_hold drop column applied_event, drop column applied_partition,
    drop column applied_offset;
update hitotsu.projection_version set version = version - 1 where projection = 'member';
"""


@pytest.mark.servers
@pytest.mark.parametrize("verb", ["prepare", "rebuild", "rejudge"])
def test_a_rebuild_that_is_asked_for_has_the_columns_that_it_writes(
    servers: Endpoints, verb: str
) -> None:
    name = f"holds_of_before_{verb}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    dsn = make_conninfo(servers.postgres, dbname=name)
    projections = of_group("main", "main")
    group = Group("main", projections)
    database.prepare(dsn, group)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(HOLDS_OF_BEFORE)
    if verb == "prepare":
        assert database.prepare(dsn, group) == frozenset()  # nothing was read: it is made anew
    else:  # that looks at the tables before it folds; here nothing was applied yet
        settings = _settings(servers, dsn)
        work: Rebuild = Rejudge(settings, projections)
        if verb == "rebuild":
            work = Rebuild(settings, projections, ["member"])
        with pytest.raises(CannotRebuild, match="applied nothing yet"):
            work.run(False, False, lambda *_: None)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "select applied_version, applied_partition, applied_offset, position"
            " from hitotsu.stock_hold"
        )
        connection.execute(
            "select applied_event, applied_partition, applied_offset from hitotsu.points_hold"
        )


def _settings(servers: Endpoints, dsn: str) -> Settings:
    key = base64.b64encode(bytes(32)).decode()
    keys = dict.fromkeys(("key_encryption_key", "blind_index_key", "gateway_private_key"), key)
    return Settings.model_validate({"postgres": dsn, "kafka": servers.kafka, **keys})
