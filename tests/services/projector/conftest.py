"""An engine with a database of its own, empty before every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.backend import Endpoints
from tests.projections.driving import Engine


@pytest.fixture(scope="module")
def one_engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


@pytest.fixture
def engine(one_engine: Engine) -> Engine:
    one_engine.reset()
    if one_engine.writer.connection is None:
        one_engine.writer._connected()
    return one_engine
