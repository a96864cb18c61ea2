"""The exit codes of our processes (from <sysexits.h>).

0 means that the process was asked to stop; after any other code the supervisor restarts it. A
process that a signal kills has none of these codes.
"""

from __future__ import annotations

import sys
import traceback
from enum import IntEnum

import psycopg
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError
from pydantic import ValidationError

from services.runtime.config import Settings
from services.runtime.logging import log

_AWAY = (
    KafkaConnectionError,
    KafkaTimeoutError,
    NodeNotReadyError,
    psycopg.OperationalError,
    ConnectionError,
    TimeoutError,
)
# packages that raise their own errors from errors of a connection
_LIBRARIES = frozenset({"aiokafka", "faust", "mode", "psycopg", "psycopg_pool"})


class Exit(IntEnum):
    """The reasons why a process ended."""

    ASKED = 0
    """It was stopped by SIGTERM or SIGINT; accepted work is stored."""
    AWAY = 69
    """Kafka or Postgres did not answer."""
    FAILED = 70
    """An error; the log has it."""
    AGAIN = 75
    """The process stopped itself to reload its state: partition moved, no progress, offset gap."""
    SETTING = 78
    """A setting is missing or wrong; stderr names its variable."""


def code_of(error: BaseException | None) -> Exit:
    """The exit code for the error that ended the process: AWAY or FAILED.

    `error` None: it ended without being asked and without an error, which is FAILED.
    """
    return _judged(error)[0]


def _judged(error: BaseException | None) -> tuple[Exit, bool]:
    """The exit code, and whether to omit the traceback, as for an unreachable server.

    An explicit cause (`raise from`) is followed. An implicit context is followed only when a
    library raised the error; in our own code it would be a bug that happened during an outage.
    """
    looked_at: set[int] = set()
    plain = True
    while error is not None and id(error) not in looked_at:
        if isinstance(error, _AWAY):
            return Exit.AWAY, plain
        looked_at.add(id(error))
        library = type(error).__module__.partition(".")[0] in _LIBRARIES
        plain = plain and library
        # Faust's worker raises an error from itself: then the context is followed
        again = error.__cause__ is error
        if error.__cause__ is not None and not again:
            error = error.__cause__
        elif library and (again or not error.__suppress_context__):
            error = error.__context__
        else:
            break
    return Exit.FAILED, False


def say(error: BaseException | None) -> Exit:
    """Logs why the process ends, and returns the exit code.

    Prints the traceback of an error, unless it only means that a server is away.
    """
    code, plain = _judged(error)
    reason = "it ended without an error" if error is None else f"{type(error).__name__}: {error}"
    if error is not None and not plain:
        traceback.print_exception(error, file=sys.stderr)
    log.error("process_exiting", code=int(code), why=code.name.lower(), reason=reason[:500])
    return code


def settings() -> Settings:
    """The settings from the environment; if some are missing or invalid, prints these variables to
    stderr and exits with 78.
    """
    try:
        return Settings()
    except ValidationError as error:
        for wrong in error.errors(include_input=False, include_url=False):
            name = "_".join(map(str, wrong["loc"])).upper()
            sys.stderr.write(f"setting HITOTSU_{name}: {wrong['msg']}\n")
        sys.exit(Exit.SETTING)
