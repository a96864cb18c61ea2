"""Runs the commands process: `python -m services.commands`."""

from __future__ import annotations

from services.commands import PROCESS
from services.commands.app import create
from services.http.serve import serve


def main() -> None:
    """Serves HTTP until SIGTERM or SIGINT."""
    serve(PROCESS.name, create)


if __name__ == "__main__":
    main()
