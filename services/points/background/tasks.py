"""What do the program's rules do without being asked?"""

from __future__ import annotations

from collections.abc import Callable

from services.points.background.accrual import Accrual
from services.points.background.expiry import Expiry
from services.runtime.config import Settings


def background(
    settings: Settings, kick: Callable[[], None], ready: Callable[[], bool]
) -> list[Accrual | Expiry]:
    """Tasks to start and stop with the process; `kick` sends what they decided.

    They wait while `ready` says that a projection which they read is being built.

    Rules give points only where they, and not the tills, are the one source of them.
    """
    tasks: list[Accrual | Expiry] = [Expiry(settings.postgres, settings.group, kick, ready=ready)]
    if settings.accrual == "rules":
        tasks.append(Accrual(settings.postgres, settings.kafka, settings.group, kick, ready))
    return tasks
