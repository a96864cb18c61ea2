"""Runs one projector process: `python -m services.projector`."""

from __future__ import annotations

import ctypes
import gc
import os
import sys

from faust.cli.worker import worker as _  # noqa: F401 - the command must exist for Faust's checks
from faust.worker import Worker

from services.projector.process import Projector
from services.projector.transport import hand_over_as_unpacked
from services.runtime import exit_codes
from services.runtime.config import Settings
from services.runtime.exit_codes import Exit
from services.runtime.logging import configure

M_ARENA_MAX = -8  # glibc's <malloc.h>


def _keep_memory_together() -> None:
    """Limits glibc to two malloc arenas: batches pass between threads, which fragments arenas."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, 2)
        except (OSError, AttributeError):  # another C library than glibc
            return


class _Worker(Worker):
    """Faust's worker. `asked`: it ends because of a signal, and not because of an error."""

    asked = False

    def _flag_as_shutdown_by_signal(self) -> None:
        self.asked = True
        super()._flag_as_shutdown_by_signal()


def main() -> None:
    """Runs until SIGTERM or SIGINT, then stores the accepted batches and ends.

    The exit status tells why it ended (`services.runtime.exit_codes`).
    """
    _keep_memory_together()
    settings = exit_codes.settings()
    configure(settings.instance or "projector", settings.log_level)
    hand_over_as_unpacked()
    code = Exit.FAILED
    try:
        code = _run(settings)
    except Exception as error:
        code = exit_codes.say(error)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _run(settings: Settings) -> Exit:
    projector = Projector(settings)
    # batches have no reference cycles: reference counts free them, the collector only costs time
    gc.collect()
    gc.freeze()
    gc.disable()
    projector.start()
    worker = _Worker(
        projector.app,
        loglevel="WARN",
        override_logging=False,
        redirect_stdouts=False,
        quiet=True,
        console_port=0,
    )
    ended: BaseException | None = None
    try:
        worker.execute_from_commandline()
    except (Exception, SystemExit) as error:
        # Faust raises SystemExit while it handles the error that ended it
        ended = error.__context__ if isinstance(error, SystemExit) else error
    finally:
        projector.stop()
    return Exit.ASKED if worker.asked else exit_codes.say(ended)


if __name__ == "__main__":
    main()
