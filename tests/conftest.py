"""The real servers, once a session: natively, or wherever the environment says."""

from __future__ import annotations

import gc
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.backend import Endpoints
from infra.home import CACHE_VARIABLE, Home
from infra.stack import Stack
from tests.drawn import load_profile
from tests.module_times import (
    pytest_collection_modifyitems,
    pytest_runtest_logreport,
    pytest_terminal_summary,
)
from tests.plain_http import share_certificates
from tests.scheduling import pytest_xdist_make_scheduler

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_runtest_logreport",
    "pytest_terminal_summary",
    "pytest_xdist_make_scheduler",
]

SERVERS_VARIABLE = "HITOTSU_TEST_SERVERS"
"""Endpoints as JSON: servers that are up, for tests of a checkout's copy."""

load_profile()
share_certificates()
# every stack of the tests has a home of its own; what was downloaded once is shared
os.environ.setdefault(CACHE_VARIABLE, str(Home().cache))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks what asks for servers, so that it never starts them where no server is wanted."""
    if "servers" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.servers)


def pytest_collection_finish() -> None:
    """Takes what was imported and collected out of every later garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """Kafka, Postgres and Valkey, empty, without any service; see `registry` for the registry."""
    if SERVERS_VARIABLE in os.environ:
        yield Endpoints(**json.loads(os.environ[SERVERS_VARIABLE]))
        return
    stack = Stack(_home(tmp_path_factory), provider="auto", registry=False)
    yield stack.start_servers()
    stack.stop(purge=True)


@pytest.fixture(scope="session")
def registry(servers: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a schema registry beside `servers`, for the few tests that ask it.

    It starts with the first of them: its JVM takes five seconds of CPU, too much for each worker.
    """
    if servers.registry:
        return servers.registry
    endpoints = Stack(_home(tmp_path_factory), provider="auto", registry=True).start_servers()
    assert endpoints.registry, "this stack runs without a registry"
    return endpoints.registry


def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stack of `servers`."""
    return tmp_path_factory.getbasetemp() / "servers"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole stack of a module's own: servers and services, which it may break."""
    # the command line composes servers, tables and services, as `hitotsu up` does
    from services.cli.stack import bring_up

    own = Stack(Path(tmp_path_factory.mktemp("stack")), provider="auto", registry=False)
    bring_up(own, lambda server, doing, ready: None)
    yield own
    own.stop(purge=True)


@pytest.fixture
def broken_off() -> Iterator[None]:
    """For tests that kill Kafka below a client in this process.

    aiokafka forgets a connection that was just being opened when the client was closed; it is
    collected here, so that no later test is blamed for it.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
