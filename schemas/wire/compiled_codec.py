"""Is there compiled code for this? It does what the Python beside it does, several times faster.

It is compiled when the project is installed, where a C compiler is; the rest of the world runs the
Python, with the same answers. HITOTSU_PURE=1 asks for the Python everywhere.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType

PURE_VARIABLE = "HITOTSU_PURE"


def native(name: str) -> ModuleType | None:
    """The compiled module of this full name, or None where Python is to do its work."""
    if os.environ.get(PURE_VARIABLE, "") not in ("", "0"):
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
