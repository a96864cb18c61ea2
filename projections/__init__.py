"""The projections: every folder here except `core` declares a projection."""

from __future__ import annotations

import importlib
import pkgutil

from projections.core import Projection


def discover() -> list[Projection]:
    """All projections, sorted by name: the object `projection` of every package here."""
    found = []
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg and module.name != "core":
            package = importlib.import_module(f"{__name__}.{module.name}")
            importlib.import_module(f"{package.__name__}.queries")
            found.append(package.projection)
    return sorted(found, key=lambda projection: projection.name)


def of_group(name: str, live: str) -> list[Projection]:
    """The projections of the group `name`, sorted by name.

    Projections that declare no group are in the group `live`.
    """
    return [one for one in discover() if (one.group or live) == name]
