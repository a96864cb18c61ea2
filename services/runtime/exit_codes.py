"""With which code does a process of ours end, and what does that say to whoever restarts it?

All but the first are unasked: what watches the process starts it again. The numbers are those of
<sysexits.h>; a process that a signal killed has no code of ours.
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
# packages that wrap what a connection raised, in errors of their own
_LIBRARIES = frozenset({"aiokafka", "faust", "mode", "psycopg", "psycopg_pool"})


class Exit(IntEnum):
    """Why a process ended."""

    ASKED = 0
    """By SIGTERM or SIGINT: what was taken over is stored."""
    AWAY = 69
    """Kafka or Postgres did not answer while it started."""
    FAILED = 70
    """By an error that the log names."""
    AGAIN = 75
    """It left by itself, to read where it stands: another owner, no progress, a gap."""
    SETTING = 78
    """A setting is missing or wrong; the log names its variable."""


def code_of(error: BaseException | None) -> Exit:
    """The code that says why; `error` is what ended the process, None when nothing did."""
    return _judged(error)[0]


def _judged(error: BaseException | None) -> tuple[Exit, bool]:
    """The code, and whether it needs no traceback: nothing but a server that is away.

    The cause that an error names is followed. What was merely being handled when it was raised is
    followed where a library raised it: in our own code that is a bug beside the outage.
    """
    looked_at: set[int] = set()
    plain = True
    while error is not None and id(error) not in looked_at:
        if isinstance(error, _AWAY):
            return Exit.AWAY, plain
        looked_at.add(id(error))
        library = type(error).__module__.partition(".")[0] in _LIBRARIES
        plain = plain and library
        # Faust's worker raises what ended it `from` itself, which hides nothing
        again = error.__cause__ is error
        if error.__cause__ is not None and not again:
            error = error.__cause__
        elif library and (again or not error.__suppress_context__):
            error = error.__context__
        else:
            break
    return Exit.FAILED, False


def say(error: BaseException | None) -> Exit:
    """Logs why the process ends without being asked to, and answers its code."""
    code, plain = _judged(error)
    reason = "it ended by itself" if error is None else f"{type(error).__name__}: {error}"
    if error is not None and not plain:
        traceback.print_exception(error, file=sys.stderr)
    log.error("ended_unasked", code=int(code), why=code.name.lower(), reason=reason[:500])
    return code


def settings() -> Settings:
    """The environment's settings; what is wrong with them is said by variable, and ends with 78."""
    try:
        return Settings()
    except ValidationError as error:
        for wrong in error.errors(include_input=False, include_url=False):
            name = "_".join(map(str, wrong["loc"])).upper()
            sys.stderr.write(f"setting HITOTSU_{name}: {wrong['msg']}\n")
        sys.exit(Exit.SETTING)
