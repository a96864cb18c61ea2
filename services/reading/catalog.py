"""Says for every table of every projection its group, its version, and the projection's topics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from projections.core import Projection, View
from projections.core.lists import Listing
from projections.core.query import Resolver
from projections.core.redis_rows import hash_key
from projections.core.tables import StoredTable
from services.runtime.groups import LIVE


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the rows of a table are and what changes them.

    `group`: the Postgres schema and Redis generation. `version`: of the projection, a part of Redis
    keys. `topics`: those whose events change any table of the projection.
    """

    group: str
    version: int
    topics: frozenset[str]


class Catalog:
    """The tables of all projections. `live`: the group of projections that name no group.

    `settings`: what the operator has set, by name, for queries whose answer depends on it.
    """

    def __init__(
        self, projections: Iterable[Projection], live: str = LIVE,
        settings: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.projections, self._live = list(projections), live
        self.settings = dict(settings or {})
        self._origins: dict[StoredTable, Origin] = {}
        self.topics: dict[str, frozenset[str]] = {}
        for projection in self.projections:
            group = projection.group or live
            self.topics[group] = self.topics.get(group, frozenset()) | projection.topics
            for table in projection.tables:
                self._origins[table] = Origin(group, projection.version, projection.topics)

    @property
    def resolvers(self) -> dict[str, Resolver]:
        """The resolvers of subjects, by name."""
        return {one.name: one for projection in self.projections for one in projection.resolvers}

    @property
    def versions(self) -> dict[str, int]:
        """The declared version of each projection."""
        return {projection.name: projection.version for projection in self.projections}

    @property
    def groups(self) -> tuple[str, ...]:
        """All groups, in the order of their first projection; also the order of the search path."""
        return tuple(self.topics)

    def listings(self, name: str) -> list[Listing]:
        """What projections add to a list, in the order of `projections`."""
        return [
            one for projection in self.projections for one in projection.listings
            if one.name == name
        ]  # fmt: skip

    def of(self, table: StoredTable) -> Origin:
        """The `Origin` of the table."""
        return self._origins[table]

    def groups_of(self, projections: Iterable[Projection]) -> frozenset[str]:
        """The groups of these projections."""
        return frozenset(one.group or self._live for one in projections)

    def hash_key(self, table: StoredTable, view: View, values: Mapping[str, object]) -> str:
        """The Redis key of the hash that has the view's rows with these values of its columns."""
        by = "|".join(_text(values[name]) for name in view.by)
        return hash_key(table, self.of(table).version, by)


def _text(value: object) -> str:
    """The value as Postgres formats it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
