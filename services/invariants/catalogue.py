"""All invariants, and the named sets of invariants and projections for `hitotsu verify NAME`.

A domain declares its invariants in a module `invariants`, as a tuple `INVARIANTS`; named sets are
declared there in a dictionary `SETS`: name to projections. Each declared `HeldAmounts` also gets
the invariant that its decisions end once, in the set that has the projection of its table.
"""

from __future__ import annotations

import importlib.util
import pkgutil
from types import ModuleType

import services
from projections.core import HeldAmounts
from services.deciding.hold_statements import declared
from services.invariants.invariant import Invariant
from services.invariants.single_end import ends_once


def _modules() -> list[ModuleType]:
    rooms = sorted(room.name for room in pkgutil.iter_modules(services.__path__) if room.ispkg)
    return [
        importlib.import_module(f"services.{room}.invariants")
        for room in rooms
        if importlib.util.find_spec(f"services.{room}.invariants") is not None
    ]


_DECLARED = _modules()
# for `hitotsu verify NAME`: the projections; it also tests the invariants whose `about` is NAME
SETS: dict[str, tuple[str, ...]] = {
    name: names for module in _DECLARED for name, names in module.SETS.items()
}


def _set_of(held: HeldAmounts) -> str:
    """The name of the set with the projection of the table; if none has it, the projection's."""
    projection = held.beside.projection
    named = (name for name, projections in SETS.items() if projection in projections)
    return next(named, projection)


SETS |= {_set_of(held): SETS.get(_set_of(held), (held.beside.projection,)) for held in declared()}
INVARIANTS: tuple[Invariant, ...] = (
    *(invariant for module in _DECLARED for invariant in module.INVARIANTS),
    *(ends_once(held, _set_of(held)) for held in declared()),
)
