"""What must exist before the first service starts? Tables, topics, schema ids."""

from __future__ import annotations

from infra import topics
from infra.backend import ProviderError
from projections import discover
from projections.core.fold import Group
from schemas.tools import registry
from services.projector import database
from services.runtime.config import Settings
from services.state.migrate import MigrationError


def prepare(settings: Settings) -> None:
    """Creates what is missing; safe to run again and beside running services.

    Raises ProviderError when tables are newer than the code or contradict it in a column, and when
    a migration cannot be applied.
    """
    group = Group(settings.group, [one for one in discover() if one.group == settings.group])
    try:
        database.prepare(settings.postgres, group)
    except (MigrationError, database.VersionChanged, database.ColumnsDiffer) as error:
        raise ProviderError(str(error)) from None
    topics.create(settings.kafka)
    if settings.registry is not None:
        registry.apply(settings.registry)
