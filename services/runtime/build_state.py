"""Tells which projections are being built, and how far each build is.

A projection is being built while the projector has recorded a build in Postgres, and also while the
version recorded in Postgres differs from the declared one (the projector of this release has not
started yet). Readers and deciders poll this several times a second and answer `building` meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.runtime.db import Connection
from services.runtime.worker import Worker

LOOK_SECONDS = 0.25
STATE = """
select projection, v.version, b.projection is not null, b.read, b.total
from hitotsu.projection_version v
full join hitotsu.projection_building b using (grp, projection) where grp = any(%(groups)s)
"""


@dataclass(frozen=True, slots=True)
class Build:
    """Progress of a build: records folded (`read`) of all (`total`); None: not known yet."""

    projection: str
    read: int | None
    total: int | None


class BeingBuilt(Exception):
    """The request depends on a projection that is being built."""

    def __init__(self, build: Build) -> None:
        super().__init__(f"{build.projection} is being built")
        self.build = build


class Builds:
    """The declared projections that are being built, as of the last poll."""

    def __init__(self, declared: Mapping[str, int]) -> None:
        """`declared`: the projections to watch, with their declared versions."""
        self._declared = declared
        self._builds: dict[str, Build] = {}
        self._seen = False

    def see(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Updates the state from the result of the query `STATE`."""
        known = {row[0]: row[1:] for row in rows}
        builds = {}
        for name, version in self._declared.items():
            recorded, is_building, read, total = known.get(name, (None, False, None, None))
            if is_building or recorded != version:
                builds[name] = Build(name, read, total)
        self._builds, self._seen = builds, True

    def ready(self, projections: Collection[str]) -> bool:
        """Whether none of these is being built; False before the first poll."""
        return self._seen and self._builds.keys().isdisjoint(projections)

    def check(self, projections: Iterable[str]) -> None:
        """Raises `BeingBuilt` for the first of these that is being built; never before the first
        poll.
        """
        if self._builds:
            for name in projections:
                if name in self._builds:
                    raise BeingBuilt(self._builds[name])


class BuildWatch(Worker):
    """A background task that polls Postgres to keep `builds` up to date."""

    def __init__(self, dsn: str, group: str, builds: Builds) -> None:
        super().__init__(dsn, "building", LOOK_SECONDS, group)
        self._group, self._builds = group, builds

    async def turn(self, connection: Connection) -> None:
        """Polls until the connection is lost."""
        while True:
            rows = await connection.execute(STATE.encode(), {"groups": [self._group]})
            self._builds.see(await rows.fetchall())
            await asyncio.sleep(LOOK_SECONDS)
