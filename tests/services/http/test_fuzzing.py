"""Whatever a document allows, its process answers as the document says, and never with a 500."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from infra.home import free_port
from services.cli.local_services import TOKENS as SCOPES
from services.runtime.tokens import register
from tests.services.http import fuzz_facts
from tests.services.http.fuzzing import NO_COVERAGE_OF_EVENTS, Fuzzed, Fuzzing, begin
from tests.services.rebuild.road import Road, road

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1_500)]
TOKEN = "token-of-a-test-that-may-all"
GATE, LONG = 300, 2_000
WAIT_SECONDS = 300  # at most, on a machine that has other things to do
STARTED = {
    "api": ("tests.services.http", "brief_waits"), "commands": ("services", "commands"),
    "gateway": ("services", "gateway"), "identity": ("services", "identity_app"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Fuzzable:
    """The four processes on real servers, and what schemathesis is told of their data."""

    urls: dict[str, str]
    dictionaries: str


@pytest.fixture(scope="module")
def fuzzable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzable]:
    with road(tmp_path_factory.mktemp("fuzzing"), {"app": "app-token-of-a-test"}) as own:
        with psycopg.connect(own.endpoints.postgres, autocommit=True) as connection:
            scopes = {scope for one in SCOPES.values() for scope in one}
            allowed = tuple(sorted({*scopes, "channel:*", "store:*"}))
            register(connection, "all", allowed, TOKEN, "operations")
        own.start("projector")
        urls = {}
        for name, (package, module) in STARTED.items():
            port = free_port()
            own.start(module, package, HITOTSU_PORT=str(port))
            urls[name] = f"http://127.0.0.1:{port}"
        event_ids = fuzz_facts.send(own)
        own.settle(len(event_ids), seconds=WAIT_SECONDS)
        for url in urls.values():
            _until(lambda url=url: httpx.get(f"{url}/readyz", trust_env=False).status_code == 200)
        _until(lambda: _ask(urls["identity"], "/v1/identity/cases")["cases"])
        opened = fuzz_facts.opened(urls["commands"], urls["identity"], TOKEN)
        assert opened.cases
        yield Fuzzable(urls=urls, dictionaries=fuzz_facts.dictionaries(event_ids, opened))
        assert _logs_without_faults(own) == []


def _ask(url: str, path: str) -> dict[str, list[object]]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.get(url + path, headers=headers, trust_env=False)
    found: dict[str, list[object]] = answer.json() if answer.status_code == 200 else {"cases": []}
    return found


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            if true():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _logs_without_faults(own: Road) -> list[str]:
    lines = [line for log in own.home.glob("*.log") for line in log.read_text().splitlines()]
    return [line for line in lines if "request_failed" in line or "Traceback" in line]


@pytest.fixture(scope="module")
def runs(
    fuzzable: Fuzzable, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Fuzzing]]:
    """The documents that are tested, all at once: most of a run is waiting for answers."""
    home = tmp_path_factory.mktemp("runs")
    more = fuzzable.dictionaries + NO_COVERAGE_OF_EVENTS
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    names = {test.callspec.params.get("name") for test in tests if hasattr(test, "callspec")}
    begun = {
        name: begin(url, TOKEN, GATE, home / name, more=more)
        for name, url in fuzzable.urls.items()
        if name in names
    }
    yield begun
    for run in begun.values():
        run.process.kill()
        run.process.wait()


def check(found: Fuzzed, cases: int) -> None:
    """Nothing is off the document, the cases were spent, and each operation did what it is for."""
    assert found.code == 0, found.output[-8_000:]
    assert found.asked >= cases
    assert found.never_well() == set()


@pytest.mark.parametrize("name", STARTED)
def test_no_answer_is_off_its_document(runs: dict[str, Fuzzing], name: str) -> None:
    check(runs[name].result(), GATE)


@pytest.mark.long
@pytest.mark.parametrize("name", STARTED)
def test_no_answer_of_many_is_off_its_document(
    fuzzable: Fuzzable, name: str, tmp_path: Path
) -> None:
    seed = time.time_ns() % 2**32
    run = begin(fuzzable.urls[name], TOKEN, LONG, tmp_path, seed=seed, more=fuzzable.dictionaries)
    check(run.result(), LONG)
