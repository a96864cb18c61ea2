"""Was the C way of packing rows built, and may it be used?

`HITOTSU_PURE=1` does without. Whoever asks has a way of their own, for the same bytes.
"""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType


def _built() -> ModuleType | None:
    try:
        return import_module("projections.core._packing")
    except ImportError:
        return None


built = None if os.environ.get("HITOTSU_PURE") == "1" else _built()
