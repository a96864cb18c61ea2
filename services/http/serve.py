"""Runs an HTTP service: the same server, limits and shutdown everywhere."""

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
    """Serves until SIGTERM or SIGINT, then finishes requests in flight and ends."""
    settings = exit_codes.settings()
    configure(name, settings.log_level)
    # uvicorn drains on SIGTERM and then raises it again; a drained stop is a clean exit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.ASKED))
    app = create(settings)
    # Requests make many short-lived objects; looking for cycles among all of them costs a third.
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
        # its own codes say that it did not start, and the log why
        sys.exit(Exit.FAILED if ended.code else Exit.ASKED)
