"""An engine with a database of its own, empty before every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.backend import Endpoints
from projections import discover
from projections.core.fold import Group
from projections.core.memory import Memory
from services.projector import document_sets
from tests.projections.driving import Engine


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


@pytest.fixture(autouse=True)
def copied_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are small here: two new sets go by COPY, as a hundred do otherwise."""
    monkeypatch.setattr(document_sets, "COPY_FROM", 2)


@pytest.fixture
def memory() -> Memory:
    return Memory(Group("main", discover()))
