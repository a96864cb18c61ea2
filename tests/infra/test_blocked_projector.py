"""Does the real alert fire for a projector that is blocked in its first minute, and circles?

Servers, projector, restarts and Prometheus are real, the rules are those that are shipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from infra.backend import Endpoints
from infra.home import Home, free_port
from infra.stack import Stack
from services.cli import local_services
from tests.benchmarks import sending
from tests.benchmarks.workload import Load, Shape, load
from tests.infra.test_observability import PROMETHEUS, ROOT

pytestmark = [
    pytest.mark.servers,
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not on PATH"),
]
ALERT_SECONDS = 90.0  # from the block to the alert
CIRCLE_SECONDS = 300.0
OVER_SECONDS = 120.0


class Restarted:
    """A projector that is started again whenever it ends, as a supervisor does."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self._env, self._log = env, log
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run)
        self.starts = 0

    def __enter__(self) -> Restarted:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def kill(self) -> None:
        """Ends it at once; it is started again."""
        assert self._process is not None
        self._process.kill()

    def _run(self) -> None:
        command = [sys.executable, "-m", "services.projector"]
        with self._log.open("ab") as log:
            while not self._ending.is_set():
                self._process = process = subprocess.Popen(
                    command, cwd=ROOT, env=self._env, stdout=log, stderr=log
                )
                self.starts += 1
                while process.poll() is None and not self._ending.wait(0.1):
                    pass
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@contextmanager
def _prometheus(folder: Path, target: int) -> Iterator[int]:
    """Prometheus with the shipped rules and intervals; answers its port."""
    port = free_port()
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    config["rule_files"] = [str(PROMETHEUS / "alerts.yml")]
    config["scrape_configs"] = [
        {"job_name": "projector", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus", f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}",
            ], stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def _firing(port: int, alert: str) -> bool:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/alerts", trust_env=False).json()
    except httpx.HTTPError:
        return False
    alerts: list[dict[str, Any]] = answer["data"]["alerts"]
    return any(one["labels"]["alertname"] == alert and one["state"] == "firing" for one in alerts)


def _until(true: Callable[[], bool], seconds: float, what: str) -> float:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.5)
    return time.monotonic() - began


@pytest.fixture
def endpoints(tmp_path: Path) -> Iterator[Endpoints]:
    stack = Stack(tmp_path / "home", "native", registry=False)
    try:
        yield stack.start_servers()
    finally:
        stack.stop(purge=True)


def _ready(port: int) -> bool:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=5)
        return bool(answer.json()["dependencies"]["assignment"].get("partitions"))
    except (httpx.HTTPError, KeyError):
        return False


def _sent(kafka: str, some: Load, ending: threading.Event) -> None:
    """A few events all the time."""
    for start in range(0, len(some.records), 5):
        if ending.wait(0.5):
            return
        sending.send(kafka, some.records[start : start + 5])


def test_a_blocked_projector_alerts_within_90_seconds_and_its_circle_too(
    endpoints: Endpoints, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home").open()
    env = local_services.environment(home, endpoints)
    local_services.prepare(endpoints, env, {})
    port, ending = free_port(), threading.Event()
    some = load("w1", 10_000, 1, Shape(members=500))
    sender = threading.Thread(target=_sent, args=(endpoints.kafka, some, ending))
    with ExitStack() as stack:
        own = {**os.environ, **env, "HITOTSU_METRICS_PORT": str(port), "TMPDIR": str(tmp_path)}
        projector = stack.enter_context(Restarted(own, tmp_path / "projector.log"))
        prometheus = stack.enter_context(_prometheus(tmp_path, port))
        stack.callback(sender.join)
        stack.callback(ending.set)
        _until(lambda: _ready(port), 120, "a projector that holds partitions")
        sender.start()
        time.sleep(10)  # well within its first minute
        assert projector.starts == 1
        with psycopg.connect(endpoints.postgres) as idle:
            idle.execute("select 1 from hitotsu.checkpoint for update")
            seen = _until(
                lambda: _firing(prometheus, "HitotsuNoProgress"), ALERT_SECONDS, "HitotsuNoProgress"
            )
            circle = seen + _until(
                lambda: _firing(prometheus, "HitotsuRestarting"),
                CIRCLE_SECONDS - seen, "HitotsuRestarting",
            )  # fmt: skip
            assert projector.starts >= 4
        over = _until(
            lambda: not _firing(prometheus, "HitotsuNoProgress"), OVER_SECONDS, "the alert's end"
        )
    sys.stdout.write(f"\nno progress {seen:.0f} s, circle {circle:.0f} s, over {over:.0f} s\n")


def test_a_quiet_projector_and_one_that_is_restarted_once_alert_nobody(
    endpoints: Endpoints, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home").open()
    env = local_services.environment(home, endpoints)
    local_services.prepare(endpoints, env, {})
    port = free_port()
    own = {**os.environ, **env, "HITOTSU_METRICS_PORT": str(port), "TMPDIR": str(tmp_path)}
    with ExitStack() as stack:
        first = stack.enter_context(Restarted(own, tmp_path / "projector.log"))
        prometheus = stack.enter_context(_prometheus(tmp_path, port))
        _until(lambda: _ready(port), 120, "a projector that holds partitions")
        time.sleep(20)
        first.kill()
        began = time.monotonic()
        while time.monotonic() - began < 75:
            assert not _firing(prometheus, "HitotsuNoProgress")
            assert not _firing(prometheus, "HitotsuRestarting")
            time.sleep(1)
        assert first.starts == 2
