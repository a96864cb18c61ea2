"""Is what alerts, panels and runbooks ask for really shown by processes that have just begun?

The processes are the product's own, over real servers, and nothing has happened to them. So a test
of an alert that is fed by hand cannot pass on a series that nobody has.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from infra.backend import Endpoints
from infra.home import Home, free_port
from infra.process import tail
from services.cli import local_services
from services.runtime.processes import processes
from tests.benchmarks import sending
from tests.benchmarks.workload import Shape, load
from tests.forks import Started, run, start
from tests.infra.test_observability import (
    NOT_OURS,
    ROOT,
    expressions,
    series_of_tests,
)

pytestmark = pytest.mark.servers
SERVICES = tuple(process.module.rpartition(".")[2] for process in processes())
OF_PROMETHEUS = {"job", "instance", "le"}
DATABASE = "live_metrics"
_SELECTOR = re.compile(r"\b(hitotsu_[a-z0-9_]+|process_start_time_seconds)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
Series = tuple[str, dict[str, str], float]


@dataclass(frozen=True, slots=True)
class Live:
    """What every process shows, by service, and where to ask again."""

    shown: dict[str, list[Series]]
    ports: dict[str, int]
    postgres: str
    kafka: str

    def every(self) -> list[Series]:
        return [one for found in self.shown.values() for one in found]

    def values(self, service: str, name: str) -> list[float]:
        return [value for found, _, value in self.shown[service] if found == name]


@pytest.fixture(scope="module")
def live(servers: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    home = Home(folder / "home").open()
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"drop database if exists {DATABASE}")  # type: ignore[arg-type]
        connection.execute(f"create database {DATABASE}")  # type: ignore[arg-type]
    dsn = make_conninfo(**{**conninfo_to_dict(servers.postgres), "dbname": DATABASE})
    env = {**os.environ, **local_services.environment(home, servers), "HITOTSU_POSTGRES": dsn}
    env["TMPDIR"] = str(folder)
    prepared = run("services.cli", "prepare", env=env)
    assert prepared.returncode == 0, prepared.stderr
    running: list[Started] = []
    ports = {name: free_port() for name in SERVICES}
    try:
        for name, port in ports.items():
            with (folder / f"{name}.log").open("wb") as log:
                ports_of = {"HITOTSU_PORT": str(port), "HITOTSU_METRICS_PORT": str(port)}
                running.append(start(f"services.{name}", env={**env, **ports_of}, output=log))
        shown = {}
        for name, port in ports.items():
            _until_ready(name, port, folder / f"{name}.log")
            shown[name] = _scraped(port)
        yield Live(shown, ports, dsn, servers.kafka)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _until_ready(name: str, port: int, log: object) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            ready = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False, timeout=5)
            # the matcher waits for rules, which nobody has activated here
            answers = ready.status_code == 200 or name == "identity_app"
            if answers and (name != "projector" or _claimed(ready)):
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline, tail(log)  # type: ignore[arg-type]
        time.sleep(0.1)


def _claimed(ready: httpx.Response) -> bool:
    assignment = ready.json()["dependencies"]["assignment"]
    return bool(assignment["partitions"]) and assignment["lag"] is not None


def _ready(port: int) -> dict[str, int]:
    answer = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).json()
    found: dict[str, int] = answer["dependencies"]["assignment"]
    return found


def _sum(port: int, name: str) -> float:
    return sum(value for found, _, value in _scraped(port) if found == name)


def _scraped(port: int) -> list[Series]:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    return [
        (sample.name, dict(sample.labels), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def _fits(labels: dict[str, str], matchers: list[tuple[str, str, str]]) -> bool:
    for label, how, value in matchers:
        if label in OF_PROMETHEUS:
            continue
        found = labels.get(label, "")
        equal = bool(re.fullmatch(value, found)) if "~" in how else found == value
        if equal == how.startswith("!"):
            return False
    return True


def _asked(text: str) -> list[tuple[str, list[tuple[str, str, str]]]]:
    return [(name, _MATCHER.findall(matchers)) for name, matchers in _SELECTOR.findall(text)]


def _missing(live: Live, texts: list[str]) -> list[str]:
    every = live.every()
    return sorted(
        {
            f"{name}{matchers or ''}"
            for text in texts
            for name, matchers in _asked(text)
            if not any(name == found and _fits(labels, matchers) for found, labels, _ in every)
        }
    )


def test_every_series_of_an_alert_or_a_panel_is_there_from_the_start(live: Live) -> None:
    assert _missing(live, expressions()) == []


def test_every_series_of_a_runbook_s_query_is_there_from_the_start(live: Live) -> None:
    queries = [
        query
        for page in (ROOT / "docs" / "runbooks").glob("*.md")
        for query in re.findall(r"`([^`]*hitotsu_[^`]*)`", page.read_text("utf-8"))
    ]
    assert len(queries) > 10
    assert _missing(live, queries) == []


def test_tests_of_alerts_are_fed_with_series_that_processes_have(live: Live) -> None:
    """By name, label names and label values; topics, partitions and instances are the stack's."""
    kinds = {
        (name, tuple(sorted(labels.keys()))): set[tuple[tuple[str, str], ...]]()
        for name, labels, _ in live.every()
    }
    for name, labels, _ in live.every():
        kinds[name, tuple(sorted(labels))].add(tuple(sorted(labels.items())))
    strangers = []
    for series in series_of_tests():
        name, _, inside = series.partition("{")
        if name in NOT_OURS:
            continue
        labels = dict(re.findall(r'(\w+)="([^"]*)"', inside))
        labels = {key: value for key, value in labels.items() if key not in OF_PROMETHEUS}
        there = kinds.get((name, tuple(sorted(labels))), set())
        if tuple(sorted(labels.items())) not in there:
            strangers.append(series)
    assert strangers == []


def test_what_is_counted_begins_at_0(live: Live) -> None:
    born = ("dead_letter_events", "conflict_events", "duplicate_events", "careful_batches")
    for name in born:
        values = live.values("projector", f"hitotsu_projector_{name}_total")
        assert values, name
    refused = live.values("gateway", "hitotsu_gateway_refused_events_total")
    assert refused
    assert set(refused) == {0.0}
    stages = {
        labels["stage"]
        for name, labels, _ in live.shown["projector"]
        if name == "hitotsu_projector_dead_letter_events_total"
    }
    assert stages == {"decode", "apply", "store"}


def test_what_another_process_measures_is_unknown_here(live: Live) -> None:
    for name in (
        "hitotsu_missing_receipt_numbers",
        "hitotsu_outbox_age_seconds",
        "hitotsu_identity_lag_events",
    ):
        assert math.isnan(*live.values("gateway", name)), name
    # and the process that can know it does
    assert live.values("api", "hitotsu_missing_receipt_numbers") == [0.0]


def test_a_projector_that_has_begun_knows_its_lag_and_its_progress(live: Live) -> None:
    assert not any(map(math.isnan, live.values("projector", "hitotsu_projector_lag_events")))
    began = live.values("projector", "hitotsu_projector_last_progress_timestamp_seconds")
    assert len(began) == 1


def test_a_projector_that_is_blocked_in_its_first_minute_says_so_at_once(live: Live) -> None:
    port = live.ports["projector"]
    with psycopg.connect(live.postgres) as idle:
        # a session that somebody left idle in transaction
        idle.execute("select 1 from hitotsu.checkpoint for update")
        sending.send(live.kafka, load("w1", 200, 1, Shape(members=50)).records)
        while _sum(port, "hitotsu_projector_lag_events") < 200:
            time.sleep(0.1)
        blocked = _sum(port, "hitotsu_projector_last_progress_timestamp_seconds")
        time.sleep(3)
        assert _sum(port, "hitotsu_projector_last_progress_timestamp_seconds") == blocked
        assert _sum(port, "hitotsu_projector_lag_events") >= 200
        assert _ready(port)["lag"] >= 200
    while _sum(port, "hitotsu_projector_lag_events") > 0:
        time.sleep(0.1)
    assert _sum(port, "hitotsu_projector_last_progress_timestamp_seconds") > blocked


def test_no_process_shows_more_than_a_scrape_can_bear(live: Live) -> None:
    sizes = {name: len(found) for name, found in live.shown.items()}
    assert max(sizes.values()) < 1_500, sizes
