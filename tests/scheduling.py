"""Which modules run in one worker of pytest-xdist, and in which order.

A worker takes a whole unit: a module, or a folder whose modules share servers that are started once
a session. Otherwise each worker would start these servers, and keep them to its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

SHARED_FOLDERS = (
    "tests/contracts/",
    "tests/services/api/",
    "tests/services/demo/",
    "tests/services/gateway/",
    "tests/services/identity/matching/",
)
"""Folders whose conftest has fixtures of a session or of the folder."""
# for each test of a module whose time is unknown: one that needs servers waits for them
UNKNOWN_SERVERS_TEST_SECONDS = 5.0
UNKNOWN_TEST_SECONDS = 0.5


class UnitScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Gives a unit to one worker, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> UnitScheduling | None:
    """Takes the place of `--dist loadfile`."""
    return UnitScheduling(config, log) if config.getoption("dist") == "loadfile" else None


def module(nodeid: str) -> str:
    """The file of a test."""
    return nodeid.split("::", 1)[0]


def unit(nodeid: str) -> str:
    """The folder or the file whose tests one worker runs."""
    return next((folder for folder in SHARED_FOLDERS if nodeid.startswith(folder)), module(nodeid))


def longest_first(items: Iterable[pytest.Item], seconds: Mapping[str, float]) -> list[pytest.Item]:
    """The items by unit, the longest unit first, and in it the longest module first.

    `seconds`: of wall time, by module. A module's own order stays.
    """
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(module(item.nodeid), []).append(item)
    taken = {name: seconds.get(name, sum(map(_unknown, tests))) for name, tests in modules.items()}
    units: dict[str, float] = {}
    for name, expected in taken.items():
        units[unit(name)] = units.get(unit(name), 0.0) + expected
    names = sorted(modules, key=lambda name: (-units[unit(name)], unit(name), -taken[name], name))
    return [item for name in names for item in modules[name]]


def _unknown(item: pytest.Item) -> float:
    servers = item.get_closest_marker("servers") is not None
    return UNKNOWN_SERVERS_TEST_SECONDS if servers else UNKNOWN_TEST_SECONDS
