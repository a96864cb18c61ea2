"""Runs the read API process: `python -m services.api`."""

from __future__ import annotations

from services.api import PROCESS
from services.api.app import create
from services.http.serve import serve


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    serve(PROCESS.name, create)


if __name__ == "__main__":
    main()
