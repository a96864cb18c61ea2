"""Creates the background tasks of the points program."""

from __future__ import annotations

from collections.abc import Callable

from services.points.background.accrual import Accrual
from services.points.background.expiry import Expiry
from services.points.program.programs import Programs
from services.runtime.config import Settings


def background(
    settings: Settings, kick: Callable[[], None], ready: Callable[[], bool]
) -> list[Accrual | Expiry]:
    """The tasks, not started yet. `kick` triggers the outbox.

    They pause while `ready` returns False, that is, while a projection they read is being built.
    """
    programs, group = Programs(settings.default_program), settings.group
    return [
        Expiry(settings.postgres, group, kick, ready=ready, programs=programs),
        Accrual(settings.postgres, settings.kafka, group, kick, ready, programs),
    ]
