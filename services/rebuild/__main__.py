"""Builds the projections that are recorded as being built, then ends: `python -m services.rebuild`.

The projectors run it (`services.projector.builds`). It ends when its standard input is closed, so
it never outlives the projector that started it; the next one continues from the stored progress.
"""

from __future__ import annotations

import os
import sys
import threading

import psycopg

from projections import of_group
from services.rebuild.build import build
from services.rebuild.fold import CannotRebuild
from services.rebuild.shadow import UnderWay
from services.runtime import exit_codes
from services.runtime.exit_codes import Exit
from services.runtime.groups import LIVE
from services.runtime.logging import configure, log
from services.verify.log import LogUnreadable

STDIN = 0
NICE = 5  # the live projection goes first


def main() -> None:
    """Ends with 0 when nothing is left to build, with 75 when it has to be run again."""
    settings = exit_codes.settings()
    configure(f"{settings.instance or 'projector'}-build", settings.log_level)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICE)
    try:
        while build(settings, of_group(settings.group, LIVE)):
            pass
    except (UnderWay, LogUnreadable, CannotRebuild, psycopg.OperationalError) as error:
        log.warning("build_interrupted", error=type(error).__name__, reason=str(error))
        sys.exit(Exit.AGAIN)


def _end_with_parent() -> None:
    # not the buffered stream: its lock would be held while the interpreter ends
    while os.read(STDIN, 1_024):
        pass
    os._exit(Exit.AGAIN)


if __name__ == "__main__":
    main()
