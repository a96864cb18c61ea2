"""How does an HTTP service of ours run? The same server, limits and endings everywhere.

Several processes may share a port: the system hands each new connection to one of them. Each then
also listens on a port of its own, where its numbers and its health are its own.
"""

from __future__ import annotations

import gc
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from services.runtime.config import Settings
from services.runtime.logging import configure


def serve(name: str, create: Callable[[Settings], ASGIApp]) -> None:
    """Serves until SIGTERM or SIGINT, then answers what is in flight and leaves."""
    settings = Settings()
    configure(name, settings.log_level)
    # uvicorn drains on SIGTERM and then raises it again; a drained stop is a clean exit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app = create(settings)
    # Requests make many short-lived objects; looking for cycles among all of them costs a third.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=512,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )
    own = settings.metrics_port
    shared = own not in (0, settings.port)
    sockets = [_listening(settings.host, settings.port, shared)]
    if shared:
        sockets.append(_listening(settings.host, own, False))
    uvicorn.Server(config).run(sockets=sockets)


def _listening(host: str, port: int, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        sys.exit(f"cannot listen on {host}:{port}: {error.strerror}")
    made.set_inheritable(True)
    return made
