"""`python -m services.projector`: one worker process."""

from __future__ import annotations

import ctypes
import gc
import os
import sys

from faust.cli.worker import worker as _  # noqa: F401 - the command must exist for Faust's checks
from faust.worker import Worker

from services.projector.process import Projector
from services.projector.transport import hand_over_as_unpacked
from services.runtime.config import Settings
from services.runtime.logging import configure

M_ARENA_MAX = -8  # glibc's <malloc.h>


def _keep_memory_together() -> None:
    """Threads that hand batches to each other leave holes in an arena each; two are enough."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, 2)
        except (OSError, AttributeError):  # another C library than glibc
            return


def main() -> None:
    """Runs until SIGTERM, then stores what was taken over and ends."""
    _keep_memory_together()
    settings = Settings()
    configure(settings.instance or "projector", settings.log_level)
    hand_over_as_unpacked()
    projector = Projector(settings)
    # batches hold no cycles: reference counts free them, and the collector only costs time
    gc.collect()
    gc.freeze()
    gc.disable()
    projector.start()
    worker = Worker(
        projector.app,
        loglevel="WARN",
        override_logging=False,
        redirect_stdouts=False,
        quiet=True,
        console_port=0,
    )
    try:
        worker.execute_from_commandline()
    finally:
        projector.stop()
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
