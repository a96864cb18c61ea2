"""The command line of generators that write files from declarations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence


def command_line(
    command: str,
    arguments: Sequence[str],
    stale: Callable[[], Sequence[str]],
    write: Callable[[], Sequence[str]],
) -> int:
    """Writes stale files, or lists them with --check; returns the exit code."""
    if list(arguments) not in ([], ["--check"]):
        sys.stderr.write(f"usage: {command} [--check]\n")
        return 2
    if not arguments:
        for path in write():
            sys.stdout.write(f"wrote {path}\n")
        return 0
    found = stale()
    for path in found:
        sys.stderr.write(f"{path} is stale: {command}\n")
    return 1 if found else 0
