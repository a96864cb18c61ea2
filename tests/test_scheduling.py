"""Do workers get the longest first, and does one of them get all that shares servers?"""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.module_times import ROOT
from tests.scheduling import SHARED_FOLDERS, longest_first, unit

pytestmark = pytest.mark.one_python


def _items(*nodeids: str) -> list[Any]:
    """Tests whose name begins with `s` need servers."""
    return [
        SimpleNamespace(
            nodeid=nodeid,
            get_closest_marker=lambda name, servers="::s" in nodeid: servers or None,
        )
        for nodeid in nodeids
    ]


def test_the_longest_module_comes_first_and_keeps_its_order() -> None:
    items = _items("a.py::1", "b.py::2", "b.py::1", "c.py::1", "a.py::2")
    ordered = longest_first(items, {"a.py": 3.0, "b.py": 70.0})
    assert [item.nodeid for item in ordered] == [
        "b.py::2", "b.py::1", "a.py::1", "a.py::2", "c.py::1",
    ]  # fmt: skip


def test_an_unknown_module_with_servers_comes_before_one_without() -> None:
    items = _items(*(f"pure.py::{number}" for number in range(9)), "new.py::s1")
    assert longest_first(items, {})[0].nodeid == "new.py::s1"


def test_modules_that_share_servers_stay_together_and_count_together() -> None:
    folder = SHARED_FOLDERS[0]
    names = (f"{folder}test_a.py::1", "tests/long.py::1", f"{folder}deeper/test_b.py::1")
    seconds = {f"{folder}test_a.py": 2.0, f"{folder}deeper/test_b.py": 9.0, "tests/long.py": 10.0}
    ordered = [item.nodeid for item in longest_first(_items(*names), seconds)]
    assert ordered == [names[2], names[0], names[1]]
    assert {unit(name) for name in names} == {folder, "tests/long.py"}


def test_every_folder_with_fixtures_of_a_session_is_run_by_one_worker() -> None:
    conftests = (path for path in (ROOT / "tests").glob("*/**/conftest.py"))
    sharing = {_folder(path) for path in conftests if _shares(path)}
    assert sharing == set(SHARED_FOLDERS)


def _folder(conftest: Path) -> str:
    return f"{conftest.parent.relative_to(ROOT).as_posix()}/"


def _shares(conftest: Path) -> bool:
    return re.search(r'scope="(session|package)"', conftest.read_text("utf-8")) is not None
