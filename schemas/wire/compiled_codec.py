"""Loads a compiled C module when it is there; otherwise the Python beside it does the same, slower.

The C is compiled at installation when a compiler is found. Both give the same answers.
HITOTSU_PURE=1 forces the Python.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType

PURE_VARIABLE = "HITOTSU_PURE"


def native(name: str) -> ModuleType | None:
    """The compiled module of this full name; None when the Python has to be used."""
    if os.environ.get(PURE_VARIABLE, "") not in ("", "0"):
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
