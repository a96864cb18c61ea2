"""The decider of point holds: its commands, and the projections on which it depends."""

from __future__ import annotations

from services.deciding.catalogue import DeciderDeclaration
from services.deciding.endpoint import Door
from services.http.operation import Operation
from services.points import needs
from services.points.holds import offline_limit, routes
from services.points.holds.work import PointsWork
from services.points.program.programs import Programs
from services.runtime.config import Settings
from services.runtime.db import Pool


def _operations(door: Door, postgres: Pool, settings: Settings) -> list[Operation]:
    programs = Programs(settings.default_program)
    return [
        *routes.operations(door, postgres, programs),
        *offline_limit.operations(door, postgres, programs),
    ]


DECIDER = DeciderDeclaration(
    name="points",
    needs=needs.HOLDS,
    work=lambda settings: PointsWork(settings.group, Programs(settings.default_program)),
    operations=_operations,
)
