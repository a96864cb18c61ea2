"""Does a real Prometheus see the projector die, and come back?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from infra.home import Home
from infra.process import Recorded, spawn
from infra.stack import ROOT, Stack
from services.cli import local_services

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not on PATH"),
]
ALERTS = yaml.safe_load((ROOT / "infra/prometheus/alerts.yml").read_text())
NO_PROGRESS = next(
    rule["expr"]
    for group in ALERTS["groups"]
    for rule in group["rules"]
    if rule.get("alert") == "HitotsuNoProgress"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers with tables and topics; the test starts the projector itself, unsupervised."""
    stack = Stack(tmp_path_factory.mktemp("alerts"), provider="auto", registry=False)
    endpoints = stack.start_servers()
    local_services.prepare(
        endpoints,
        local_services.environment(stack.home, endpoints),
        local_services.tokens(stack.home),
    )
    yield stack
    stack.stop(purge=True)


def test_a_killed_projector_makes_the_alert_true_and_its_return_makes_it_false(
    place: Stack, tmp_path: Path
) -> None:
    port = place.home.port("projector-1")
    projector = _projector(place, port)
    prometheus = _prometheus(place.home, tmp_path, port)
    try:
        address = f"http://127.0.0.1:{place.home.port('prometheus')}"
        _eventually(lambda: _ready(address), "Prometheus answers queries")
        _eventually(lambda: _holds(address, "up == 1"), "the projector is scraped")
        _eventually(lambda: not _holds(address, NO_PROGRESS), "there is progress")
        projector.send(signal.SIGKILL)
        _eventually(lambda: _holds(address, NO_PROGRESS), "the alert's expression is true")
        projector = _projector(place, port)
        _eventually(lambda: not _holds(address, NO_PROGRESS), "the expression is false again")
    finally:
        projector.stop(bound_seconds=10)
        prometheus.stop(bound_seconds=10)


def _projector(place: Stack, port: int) -> Recorded:
    env = {
        **os.environ,
        **local_services.environment(place.home, place.endpoints()),
        "HITOTSU_METRICS_PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    argv = [sys.executable, "-m", "services.projector"]
    return spawn(argv, place.home.log("projector"), env=env)


def _prometheus(home: Home, folder: Path, port: int) -> Recorded:
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [
            {"job_name": "hitotsu", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    listen = f"127.0.0.1:{home.port('prometheus')}"
    argv = [
        str(shutil.which("prometheus")),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={listen}",
    ]
    subprocess.run([argv[0], "--version"], check=True, capture_output=True)
    return spawn(argv, home.log("prometheus"))


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/-/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def _holds(address: str, expression: str) -> bool:
    answer = httpx.get(f"{address}/api/v1/query", params={"query": expression}, timeout=5)
    answer.raise_for_status()
    return bool(answer.json()["data"]["result"])


def _eventually(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.5)
