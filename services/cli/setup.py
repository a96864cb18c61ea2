"""What must exist before the first service starts? Tables, topics, schema ids."""

from __future__ import annotations

import psycopg

from infra import topics
from infra.backend import ProviderError
from projections import discover
from projections.core.fold import Group
from schemas.tools import registry
from services.projector import database
from services.runtime.config import Settings
from services.runtime.keys import SUBJECT_KEY_DDL
from services.runtime.tokens import API_TOKEN_DDL
from services.state import matching as identity


def prepare(settings: Settings) -> None:
    """Creates what is missing; safe to run again. `hitotsu` comes first: the others live in it.

    Raises ProviderError when tables are newer than the code, or contradict it in a column.
    """
    group = Group(settings.group, [one for one in discover() if one.group == settings.group])
    try:
        database.prepare(settings.postgres, group)
    except (database.VersionChanged, database.ColumnsDiffer) as error:
        raise ProviderError(str(error)) from None
    with psycopg.connect(settings.postgres, autocommit=True) as connection:
        # until the connection ends: two processes that prepare at once make each table once
        connection.execute(database.LOCK)
        connection.execute(SUBJECT_KEY_DDL)
        connection.execute(API_TOKEN_DDL)
        identity.prepare(connection)
    topics.create(settings.kafka)
    if settings.registry is not None:
        registry.apply(settings.registry)
