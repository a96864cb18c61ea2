"""The decider of returns: its command, and the projections on which it depends."""

from __future__ import annotations

from services.deciding.catalogue import DeciderDeclaration
from services.points import needs
from services.points.program.programs import Programs
from services.points.returns.quote import ReturnsWork
from services.points.returns.routes import operations

DECIDER = DeciderDeclaration(
    name="returns",
    needs=needs.RETURNS,
    work=lambda settings: ReturnsWork(settings.group, Programs(settings.default_program)),
    operations=lambda door, _postgres, _settings: operations(door),
)
