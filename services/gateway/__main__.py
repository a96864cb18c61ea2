"""Runs the gateway: `python -m services.gateway`."""

from __future__ import annotations

from services.gateway import PROCESS
from services.gateway.app import create
from services.http.serve import serve


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    serve(PROCESS.name, create)


if __name__ == "__main__":
    main()
