"""The gateway that most tests of it share, and a stack of its own for those that break servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.stack import Stack
from tests.services.gateway.running import Gateway, prepare


@pytest.fixture(scope="session")
def gateway(servers: Any) -> Iterator[Gateway]:
    """A running gateway before the session's servers."""
    prepare(servers)
    with Gateway(servers) as running:
        yield running


@pytest.fixture(scope="package")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers that a test may stop and kill."""
    stack = Stack(tmp_path_factory.mktemp("stack"), provider="native", registry=False)
    prepare(stack.start_servers())
    yield stack
    stack.stop(purge=True)


@pytest.fixture(scope="package")
def own_gateway(own_stack: Stack) -> Iterator[Gateway]:
    """A gateway before them."""
    with Gateway(own_stack.endpoints()) as running:
        yield running
