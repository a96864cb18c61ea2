"""Runs modules as processes of their own that were imported before: `python -m tests.fork_server`.

A service or a verb imports a thousand modules before its first line: a second of CPU, in hundreds
of starts. This process imports them once and forks for each start. What runs is the same module as
`python -m` would run, in a process with its own pid, environment, signals and exit status; the
stacks that tests start by `hitotsu up` start theirs anew, which shows that nothing is missing.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

from schemas.normal.gazetteer import gazetteer

PRELOADED = (
    "services.api.app",
    "services.bulk",
    "services.commands.app",
    "services.gateway.app",
    "services.identity_app.app",
    "services.projector.app",
    "services.projector.process",
    "faust.cli.worker",
    "faust.worker",
    "services.cli.dead_letters",
    "services.cli.erase",
    "services.cli.identity",
    "services.cli.rebuild",
    "services.cli.setup",
    "services.cli.stack",
    "services.cli.tokens",
    "services.cli.verify",
    "services.identity.replay.report",
    "services.identity.review.queue",
    "services.rebuild.run",
    "services.verify.run",
)
PLACES_WORD = "identity"  # in the module or the words of what parses addresses
REQUEST_BYTES = 1 << 20
FDS = 4  # standard input, output and errors, and where pid and status are told


def main() -> None:
    """Serves until the tests have ended; in a fork, runs what was asked for."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        _run(request)


def _serve(asked: socket.socket) -> dict[str, Any] | None:
    """Forks for each request. Returns the request in the fork, None when no more can come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which end their own
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers leave no zombies
    while True:
        text, fds, _, _ = socket.recv_fds(asked, REQUEST_BYTES, FDS)
        if not text:
            return None
        request: dict[str, Any] = json.loads(text)
        if PLACES_WORD in request["module"] or PLACES_WORD in request["words"]:
            _load_places()
        if os.fork() == 0:
            asked.close()
            if _is_the_one_that_runs(fds):
                return request
            os._exit(0)
        for fd in fds:
            os.close(fd)


@cache
def _load_places() -> None:
    """Loads the places of Japan, which a process does with its first address: 1.9 s of CPU."""
    gazetteer()
    gc.collect()
    gc.freeze()


def _is_the_one_that_runs(fds: Sequence[int]) -> bool:
    """Forks again: True in the child; its parent tells the child's pid, then its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, status = fds
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.close(status)
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
            os.close(fd)
        return True
    for fd in streams:
        os.close(fd)
    os.write(status, f"{pid}\n".encode())
    _, code = os.waitpid(pid, 0)
    os.write(status, f"{os.waitstatus_to_exitcode(code)}\n".encode())
    return False


def _run(request: dict[str, Any]) -> None:
    """As `python -m MODULE WORDS` in that folder and environment."""
    os.environ.clear()
    os.environ.update(request["env"])
    tempfile.tempdir = None  # TMPDIR and TZ are those of now
    time.tzset()
    os.chdir(request["cwd"])
    sys.path[0] = request["cwd"]
    sys.argv = ["", *request["words"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
