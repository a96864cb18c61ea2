"""Runs the matcher and its desk: `python -m services.identity`."""

from __future__ import annotations

from services.identity.app import create
from services.runtime.serve import serve


def main() -> None:
    """Serves until it is told to end."""
    serve("identity", create)


if __name__ == "__main__":
    main()
