"""Homes of these tests: short-lived folders that share the jars already fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.home import CACHE_VARIABLE, HOME_VARIABLE, Home
from infra.stack import Stack


@pytest.fixture(autouse=True)
def no_servers_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell has set must not decide these tests."""
    for name in (
        "HITOTSU_KAFKA",
        "HITOTSU_POSTGRES",
        "HITOTSU_REDIS",
        "HITOTSU_REGISTRY",
        "HITOTSU_PROVIDER",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in (HOME_VARIABLE, CACHE_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return Home(tmp_path / "home").open()


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers that a test may kill without disturbing anybody; without the registry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(Home().cache))
        stack = Stack(tmp_path_factory.mktemp("stack") / "home", "native", registry=False)
        try:
            stack.start_servers()
            yield stack
        finally:
            stack.stop(purge=True)
