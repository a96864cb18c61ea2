"""Runs the identity process: `python -m services.identity_app`."""

from __future__ import annotations

from services.http.serve import serve
from services.identity_app import PROCESS
from services.identity_app.app import create


def main() -> None:
    """Serves HTTP until SIGTERM or SIGINT."""
    serve(PROCESS.name, create)


if __name__ == "__main__":
    main()
