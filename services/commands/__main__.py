"""Runs the deciders: `python -m services.commands`."""

from __future__ import annotations

import gc

import uvicorn

from services.commands.app import create
from services.runtime.config import Settings
from services.runtime.logging import configure


def main() -> None:
    """Serves until SIGTERM or SIGINT, then answers what is in flight and leaves."""
    settings = Settings()
    configure("commands", settings.log_level)
    app = create(settings)
    # as in the gateway: requests make many short-lived objects, and no cycles
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=512,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
