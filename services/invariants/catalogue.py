"""All invariants, and the named sets of invariants and projections for `hitotsu verify NAME`.

A domain declares its invariants in a module `invariants`, as a tuple `INVARIANTS`; named sets are
declared there in a dictionary `SETS`: name to projections.
"""

from __future__ import annotations

import importlib.util
import pkgutil
from types import ModuleType

import services
from services.invariants.invariant import Invariant


def _modules() -> list[ModuleType]:
    rooms = sorted(room.name for room in pkgutil.iter_modules(services.__path__) if room.ispkg)
    return [
        importlib.import_module(f"services.{room}.invariants")
        for room in rooms
        if importlib.util.find_spec(f"services.{room}.invariants") is not None
    ]


_DECLARED = _modules()
INVARIANTS: tuple[Invariant, ...] = tuple(
    invariant for module in _DECLARED for invariant in module.INVARIANTS
)
# what `hitotsu verify NAME` looks at: these projections, and every invariant that is `about` it
SETS: dict[str, tuple[str, ...]] = {
    name: names for module in _DECLARED for name, names in module.SETS.items()
}
