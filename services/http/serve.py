"""Runs an HTTP process, with the same server, limits and shutdown for all."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from services.http.response import OneWriteProtocol
from services.runtime import exit_codes
from services.runtime.config import Settings
from services.runtime.exit_codes import Exit
from services.runtime.logging import configure


def serve(name: str, create: Callable[[Settings], ASGIApp]) -> None:
    """Serves until SIGTERM or SIGINT, then finishes requests in flight, for at most 10 s, and
    exits.

    `name`: the process in logs; `create` makes the application.
    """
    settings = exit_codes.settings()
    configure(name, settings.log_level)
    # uvicorn finishes requests on SIGTERM and then raises the signal again: exit with 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.ASKED))
    app = create(settings)
    # Requests make many short-lived objects; frequent garbage collection costs a third. They must
    # leave no reference cycles: a collection of so many objects stops all answers for 100 ms.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    try:
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http=OneWriteProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=512,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=10,
        )
    except SystemExit as ended:
        # a code other than 0 means that uvicorn did not start; the log says why
        sys.exit(Exit.FAILED if ended.code else Exit.ASKED)
