"""`python -m tests.services.rebuild.kill_point POINT`: a rejudging that ends itself by SIGKILL.

POINT is `store:N`, `compare:1`, `count:1` or `replace:1`: at the Nth call, before it returns.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from projections import discover
from services.rebuild import refold
from services.rebuild.group_shadow import GroupShadow
from services.rebuild.rejudge import Rejudge
from services.rebuild.swap import Swap
from services.runtime.config import Settings

METHODS: dict[str, tuple[type, str]] = {
    "store": (GroupShadow, "store_judged"),
    "compare": (Rejudge, "_compare"),
    "count": (Rejudge, "_count"),
    "replace": (Swap, "replace"),
}


def main(point: str) -> None:
    """Runs the rejudging until the point is reached."""
    name, _, number = point.partition(":")
    owner, method = METHODS[name]
    left, before = int(number), getattr(owner, method)

    def kills(self: Any, *args: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        try:
            return before(self, *args, **more)
        finally:
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, method, kills)
    # many transactions, of which each can be the last
    refold.BATCH_EVENTS_MAX = refold.READ_EVENTS_MAX = 60
    # where all is folded nothing is stored: to be killed there it begins anew
    declared = [one for one in discover() if one.tables]
    Rejudge(Settings(), declared).run(name == "store", False, lambda step, done, whole: None)


if __name__ == "__main__":
    main(sys.argv[1])
