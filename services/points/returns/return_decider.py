"""The decider of returns: what becomes of points when goods come back, and from what it is told."""

from __future__ import annotations

from services.deciding.catalogue import DeciderDeclaration
from services.points import needs
from services.points.returns.quote import ReturnsWork
from services.points.returns.routes import operations

DECIDER = DeciderDeclaration(
    name="returns",
    needs=needs.RETURNS,
    work=lambda settings: ReturnsWork(settings.group, settings.accrual == "rules"),
    operations=lambda door, _postgres, _group: operations(door),
)
