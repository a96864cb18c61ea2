"""An engine with a database of its own, empty before every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.backend import Endpoints
from projections import discover
from projections.core.fold import Group
from projections.core.memory import Memory
from tests.projections.driving import Engine


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


@pytest.fixture
def memory() -> Memory:
    return Memory(Group("main", discover()))
