"""Loads compiled C modules, for which slower Python code with the same results exists.

The C code is compiled at installation if there is a compiler. HITOTSU_PURE=1 forces the Python.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType

PURE_VARIABLE = "HITOTSU_PURE"


def native(name: str) -> ModuleType | None:
    """The compiled module with this full name; None if the Python code has to be used."""
    if os.environ.get(PURE_VARIABLE, "") not in ("", "0"):
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
