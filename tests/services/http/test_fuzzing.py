"""Whatever a document allows, its process answers as the document says, and never with a 500."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from infra.home import free_port
from schemas.generated.inputs import INPUTS, example, parse, to_event
from schemas.wire import codec
from services.cli.local_services import TOKENS as SCOPES
from services.runtime.tokens import register
from tests.schemas.sealers import OpenSealer
from tests.services.rebuild.road import Road, road
from tests.services.rebuild.trade import send

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1_500)]
TOKEN = "token-of-a-test-that-may-all"
GATE, LONG = 300, 2_000
STARTED = {
    "api": ("tests.services.http", "brief_waits"), "commands": ("services", "commands"),
    "gateway": ("services", "gateway"), "identity": ("services", "identity_app"),
}  # fmt: skip
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance", "response_headers_conformance",
)  # fmt: skip
# 503: without rules in force nobody can be compared; 504: what was waited for was not applied
CONFIG = """
base-url = "{url}"
[phases.coverage]
enabled = false
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503", "504"]
"""


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The four processes on real servers, with one of each fact applied."""
    with road(tmp_path_factory.mktemp("fuzzing"), {"app": "app-token-of-a-test"}) as own:
        with psycopg.connect(own.endpoints.postgres, autocommit=True) as connection:
            scopes = {scope for one in SCOPES.values() for scope in one}
            allowed = tuple(sorted({*scopes, "channel:*", "store:*"}))
            register(connection, "all", allowed, TOKEN, "operations")
        own.start("projector")
        named = {}
        for name, (package, module) in STARTED.items():
            port = free_port()
            own.start(module, package, HITOTSU_PORT=str(port))
            named[name] = f"http://127.0.0.1:{port}"
        known = [name for name in INPUTS if name != "SubjectErased"]
        send(own.endpoints.kafka, (_record(name) for name in known))
        own.settle(len(known))
        for url in named.values():
            _wait_for(url)
        yield named
        assert _logs_without_faults(own) == []


def _record(name: str) -> tuple[str, bytes, bytes]:
    event = to_event(parse(example(name)), OpenSealer())
    event = replace(event, meta=replace(event.meta, event_id=uuid4().bytes))
    return event.TOPIC, codec.key_of(event), codec.encode(event)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            assert httpx.get(f"{url}/livez", trust_env=False).status_code == 200
            return
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _logs_without_faults(own: Road) -> list[str]:
    lines = [line for log in own.home.glob("*.log") for line in log.read_text().splitlines()]
    return [line for line in lines if "request_failed" in line or "Traceback" in line]


def fuzz(url: str, cases: int, home: Path, seed: int = 1) -> subprocess.CompletedProcess[str]:
    """So many cases against one document, well formed and not, along its links too."""
    document = httpx.get(f"{url}/openapi.json", trust_env=False).json()
    operations = sum(len(methods) for methods in document["paths"].values())
    config = home / "schemathesis.toml"
    config.write_text(CONFIG.format(url=url))
    words = (
        "--config-file", str(config), "run", f"{url}/openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}", "--checks", ",".join(CHECKS),
        "--max-examples", str(ceil(cases / operations)), "--seed", str(seed),
        "--mode", "all", "--workers", "1", "--no-color", "--continue-on-failure",
        "--generation-database", "none", "--suppress-health-check", "all",
    )  # fmt: skip
    command = [sys.executable, "-m", "schemathesis.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=home, check=False)


@pytest.mark.parametrize("name", STARTED)
def test_no_answer_is_off_its_document(urls: dict[str, str], name: str, tmp_path: Path) -> None:
    found = fuzz(urls[name], GATE, tmp_path)
    assert found.returncode == 0, found.stdout[-8_000:] + found.stderr[-2_000:]


@pytest.mark.long
@pytest.mark.parametrize("name", STARTED)
def test_no_answer_of_many_is_off_its_document(
    urls: dict[str, str], name: str, tmp_path: Path
) -> None:
    found = fuzz(urls[name], LONG, tmp_path, seed=time.time_ns() % 2**32)
    assert found.returncode == 0, found.stdout[-8_000:] + found.stderr[-2_000:]
