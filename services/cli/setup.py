"""Prepares Postgres, Kafka and the registry for the services: tables, topics, schemas."""

from __future__ import annotations

from collections.abc import Collection

import psycopg

from infra import topics
from infra.backend import ProviderError
from projections import of_group
from projections.core.fold import Group
from schemas.tools import registry
from services.projector import database
from services.runtime.config import Settings
from services.runtime.groups import LIVE
from services.state.migrate import MigrationError, migrate

UPGRADING = "select 1 from hitotsu.upgrade where grp = %s and finished_at is null"
TABLES_THERE = "select to_regclass('hitotsu.checkpoint') is not null"


def prepare(settings: Settings) -> list[str]:
    """Creates what is missing; idempotent, and safe while services run.

    Returns notices: migrations that changed existing tables, and projections that are being built.
    Raises ProviderError when Postgres or the registry does not answer, tables are newer than the
    code or have other columns, or a migration cannot be applied; StartError as `topics.create`.
    """
    group = Group(settings.group, of_group(settings.group, LIVE))
    try:
        applied = _migrate(settings.postgres)
        building = database.prepare(settings.postgres, group)
    except (MigrationError, database.VersionChanged, database.ColumnsDiffer) as error:
        raise ProviderError(str(error)) from None
    except psycopg.OperationalError as error:
        raise ProviderError(f"Postgres: {str(error).splitlines()[0]}") from None
    topics.create(settings.kafka)
    if settings.registry is not None:
        try:
            registry.apply(settings.registry)
        except registry.RegistryError as error:
            raise ProviderError(f"registry: {error}") from None
    return [
        *(f"applied migration {name} to the tables of an older release" for name in applied),
        *(
            f"projection {name} is being built: what needs it answers 503 (building) until then"
            for name in sorted(building)
        ),
        *_upgrading(settings, building),
    ]


def _upgrading(settings: Settings, building: Collection[str]) -> list[str]:
    """Says where the answers that change will be listed, if tables of before are replaced."""
    if not building:
        return []
    with psycopg.connect(settings.postgres) as connection:
        rows = connection.execute(UPGRADING, [settings.group]).fetchall()
    return ["when they are built, `hitotsu upgrade report` lists what changed"] if rows else []


def _migrate(dsn: str) -> list[str]:
    """Applies missing migrations; returns their names, [] if there were no tables before."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(TABLES_THERE).fetchone()
        applied = migrate(connection)
    return applied if row is not None and row[0] else []
