"""Builds the projections of a group that `hitotsu.projection_building` lists, then ends.

A projector starts it as `python -m services.rebuild` (`services.projector.builds`). It ends when
its standard input is closed, so it never outlives that projector; the next run continues from the
stored progress.
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
NICE = 5  # lower CPU priority than the live projector


def main() -> None:
    """Exit status 0: nothing is left to build; 75: it was interrupted and has to be run again; 78:
    a setting is wrong; 1: an unexpected error.
    """
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
    # not sys.stdin: this thread would hold its lock while the interpreter shuts down
    while os.read(STDIN, 1_024):
        pass
    os._exit(Exit.AGAIN)


if __name__ == "__main__":
    main()
