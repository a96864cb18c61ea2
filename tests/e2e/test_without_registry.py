"""Does anything stop when the schema registry is killed? Does it know all again when it is back?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from infra.stack import ROOT, Stack
from schemas.generated.inputs import INPUTS
from schemas.rights import INTERNAL
from services.cli.stack import bring_up
from tests.e2e.reading import Staff
from tests.e2e.verdicts import Projected, eventually
from tests.services.gateway.running import event

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300), pytest.mark.long]
SALES = "commerce.purchases"
# decided by services and by people, not told by producers
DECIDED = {
    "LinkDeclined", "MatchRulesActivated", "ProfilesLinked", "ProfilesUnlinked",
    "ReservationCommitted",
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole stack with a registry; the test kills it."""
    own = Stack(tmp_path_factory.mktemp("registry"), provider="auto", registry=True)
    try:
        bring_up(own, lambda server, doing, ready: None)
        yield own
    finally:
        own.stop(purge=True)


def test_nothing_stops_without_the_registry_and_it_is_whole_when_it_is_back(place: Stack) -> None:
    registry = str(place.endpoints().registry)
    assert "under its id" in said(place, "schema", "diff")
    place.kill("registry", signal.SIGKILL)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{registry}/subjects", timeout=5, trust_env=False)
    refused = command(place, "schema", "diff")
    assert (refused.returncode, "does not answer" in refused.stderr + refused.stdout) == (1, True)

    everything_works(place)
    began_anew(place, "projector-1", "projector-2", "gateway", "api")
    everything_works(place)

    place.restart_server("registry")
    assert "under its id" in said(place, "schema", "diff")
    everything_works(place)


def everything_works(place: Stack) -> None:
    """One event of every kind that producers send goes in, is applied, answered and tailed."""
    status = place.status()
    sent = [event(name) for name in sorted(INPUTS) if name not in INTERNAL | DECIDED]
    accepted = post(status, sent)
    refused = [result for result in accepted if result["status"] != "accepted"]
    assert (refused, len(accepted)) == ([], len(sent))
    projected = Projected(status)
    projected.everything()
    assert projected.counts()["dead_letter"] == projected.counts()["conflict"] == 0
    assert projected.times_applied(one["meta"]["event_id"] for one in sent) == len(sent)
    with Staff(status) as staff:
        for one in sent:
            found = staff.get(f"/v1/events/{one['meta']['event_id']}")
            assert found["status"] == "applied", found
        assert list(staff.pages("/v1/members"))
        assert list(staff.pages("/v1/stock"))
    shown = [json.loads(line) for line in tail(place).splitlines()]
    ids = {line["event"]["meta"]["event_id"] for line in shown}
    assert ids >= {one["meta"]["event_id"] for one in sent if one["type"].startswith("Purchase")}


def post(status: dict[str, Any], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = httpx.post(
        f"{status['services']['gateway']['url']}/v1/events",
        headers={"Authorization": f"Bearer {status['tokens']['bulk']}"},
        json=events,
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == 202, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def tail(place: Stack) -> str:
    query = "SELECT sum(next_offset)::bigint FROM hitotsu.checkpoint WHERE topic = %s"
    records = Projected(place.status()).rows(query, SALES)[0][0]
    return said(place, "tail", SALES, "--from", "beginning", "--limit", str(records), "--json")


def began_anew(place: Stack, *names: str) -> None:
    """Services are killed, and their supervisor starts them without a registry."""
    pids = {name: place.kill(name, signal.SIGKILL) for name in names}

    def other() -> bool:
        now = place.status()["services"]
        return all(now[name]["pid"] not in (None, pid) for name, pid in pids.items())

    eventually(other, "all run again")
    place.wait_ready(60)


def said(place: Stack, *arguments: str) -> str:
    done = command(place, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def command(place: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HITOTSU_HOME": str(place.home.path)}
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        env=environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
