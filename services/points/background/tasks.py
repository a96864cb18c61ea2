"""The points program's background tasks."""

from __future__ import annotations

from collections.abc import Callable

from services.points.background.accrual import Accrual
from services.points.background.expiry import Expiry
from services.runtime.config import Settings


def background(
    settings: Settings, kick: Callable[[], None], ready: Callable[[], bool]
) -> list[Accrual | Expiry]:
    """The tasks, to be started and stopped with the process; `kick` triggers the outbox.

    They wait while `ready` says that a projection they read is being built. Accrual runs only if
    this deployment gives points by rules and not by tills.
    """
    tasks: list[Accrual | Expiry] = [Expiry(settings.postgres, settings.group, kick, ready=ready)]
    if settings.accrual == "rules":
        tasks.append(Accrual(settings.postgres, settings.kafka, settings.group, kick, ready))
    return tasks
