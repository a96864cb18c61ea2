"""Finds the deciders that the process `commands` runs and whose routes it serves.

A domain's module with a name that ends in `_decider` declares a decider as `DECIDER`. The process
`identity` makes its own decider, which is not declared.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import services
from services.deciding.decider import DecisionWork
from services.deciding.endpoint import Door
from services.http.operation import Operation
from services.runtime.config import Settings
from services.runtime.db import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeciderDeclaration:
    """A decider: its dependencies, its work, and its routes.

    `needs`: names of projections; while one of them is being built, the routes answer 503. `work`
    creates the object that decides a batch under locks. `operations` creates the routes from the
    decider's `Door`, a connection pool, and the settings.
    """

    name: str
    needs: frozenset[str]
    work: Callable[[Settings], DecisionWork]
    operations: Callable[[Door, Pool, Settings], list[Operation]]


def deciders() -> list[DeciderDeclaration]:
    """All declared deciders, sorted by name.

    Raises TypeError when two have the same name, or a module `*_decider` declares none.
    """
    declared = sorted(
        (_declared_in(folder, path) for folder in services.__path__ for path in _modules(folder)),
        key=lambda decider: decider.name,
    )
    names = [decider.name for decider in declared]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TypeError(f"two deciders have the name {twice.pop()}")
    return declared


def _modules(folder: str) -> list[Path]:
    return list(Path(folder).rglob("*_decider.py"))


def _declared_in(folder: str, path: Path) -> DeciderDeclaration:
    name = ".".join(("services", *path.relative_to(folder).with_suffix("").parts))
    declared = getattr(importlib.import_module(name), "DECIDER", None)
    if not isinstance(declared, DeciderDeclaration):
        raise TypeError(f"{name} declares no DECIDER")
    return declared
