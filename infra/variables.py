"""Reads environment variables; an empty variable counts as not set.

`services.runtime.config` does the same for the settings. A shell, compose or CI file often sets a
variable to "" where it has no value.
"""

from __future__ import annotations

import os


def variable(name: str) -> str | None:
    """The value of an environment variable; None if it is not set, or empty."""
    return os.environ.get(name) or None
