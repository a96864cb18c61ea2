"""`hitotsu up` starts what is missing and leaves the rest alone; what ends unasked starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest

from infra.process import Recorded
from infra.stack import ROOT, Stack
from tests.forks import run

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


@pytest.fixture(scope="module", autouse=True)
def _ended(stack: Stack) -> Iterator[None]:
    """The supervisor that these tests start is nobody's child here."""
    yield
    stack.stop()


def up(stack: Stack, *more: str, **env: str) -> subprocess.CompletedProcess[str]:
    return verb(stack, "up", "--no-registry", *more, **env)


def verb(stack: Stack, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The verb is forked; what it starts, starts anew."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HITOTSU_HOME": str(stack.home.path)}
    return run("services.cli", *words, env=environment | env, cwd="/")


def processes(stack: Stack) -> dict[str, tuple[int | None, str | None]]:
    """pid and address of everything; the supervisor too."""
    status = stack.status()
    entries: dict[str, Any] = {**status["servers"], **status["services"]}
    found = {n: (e["pid"], e["url"] or e.get("metrics")) for n, e in entries.items()}
    recorded = Recorded.of(stack.home.read("state").get("supervisor"))
    found["supervisor"] = (recorded.pid if recorded and recorded.alive else None, None)
    return found


def eventually(holds: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def answers(stack: Stack) -> bool:
    try:
        stack.wait_ready(0.0)
    except Exception:
        return False
    return True


def test_nothing_is_touched_when_all_runs(stack: Stack) -> None:
    before = processes(stack)
    done = up(stack)
    assert done.returncode == 0, done.stderr
    assert processes(stack) == before
    assert "still with" not in done.stdout
    done = up(stack, HITOTSU_ACCRUAL="rules")
    assert done.returncode == 0, done.stderr
    assert processes(stack) == before
    assert "other settings than now: api, commands, gateway" in done.stdout


def test_a_dead_server_starts_at_its_address_and_nothing_else_is_touched(stack: Stack) -> None:
    with psycopg.connect(stack.endpoints().postgres, autocommit=True) as connection:
        from services.runtime.tokens import create

        create(connection, "till", ("events:write",), "till")  # replaces the stack's own
        held = "select name, token_hash, revoked_at from hitotsu.api_token order by 1, 2, 3"
        tokens = connection.execute(held.encode()).fetchall()
        before = processes(stack)
        stack.kill("redis")
        done = up(stack)
        assert done.returncode == 0, done.stderr
        after = processes(stack)
        assert after["redis"][1] == before["redis"][1]
        assert after.pop("redis") != before.pop("redis")
        assert after == before
        assert connection.execute(held.encode()).fetchall() == tokens


def test_tables_of_an_older_release_are_completed_beside_running_services(stack: Stack) -> None:
    """What runs is of before, what starts again is of now, and needs the tables of now."""
    held = b"select name, token_hash, revoked_at from hitotsu.api_token order by 1, 2, 3"
    with psycopg.connect(stack.endpoints().postgres, autocommit=True) as connection:
        tokens = connection.execute(held).fetchall()
        connection.execute("alter table hitotsu.api_token drop column role")
        connection.execute("drop table hitotsu.migration")  # of a release before migrations
        stack.kill("gateway")
        done = up(stack)
        assert done.returncode == 0, done.stderr
        assert connection.execute(held).fetchall() == tokens
    url = stack.status()["services"]["gateway"]["url"]
    stranger = {"Authorization": "Bearer nobody"}
    answer = httpx.post(f"{url}/v1/events", headers=stranger, json=[], trust_env=False)
    assert answer.status_code == 401, "callers are told apart"


def test_a_service_that_is_ended_by_hand_starts_again_by_itself(stack: Stack) -> None:
    before = processes(stack)
    names = ("gateway", "projector-1")
    for name in names:
        stack.kill(name, signal.SIGTERM)

    def again() -> bool:
        now = processes(stack)
        return all(now[name][0] not in (None, before[name][0]) for name in names)

    eventually(again, "gateway and projector run again")
    said = stack.home.log("supervisor").read_text("utf-8")
    assert all(f"{name} ended with 0, unasked" in said for name in names)
    stack.wait_ready(60)
    assert {n: url for n, (_, url) in processes(stack).items()} == {
        n: url for n, (_, url) in before.items()
    }


def test_without_its_supervisor_only_what_died_is_started(stack: Stack) -> None:
    before = processes(stack)
    supervisor = Recorded.of(stack.home.read("state")["supervisor"])
    assert supervisor is not None
    supervisor.stop(signal.SIGKILL)
    stack.kill("api")
    done = up(stack)
    assert done.returncode == 0, done.stderr
    after = processes(stack)
    assert after["api"][1] == before["api"][1]
    for name in ("api", "supervisor"):
        assert after[name][0] not in (None, before[name][0])
        del after[name], before[name]
    assert after == before
    # and the new one looks after those it did not start
    killed = stack.kill("commands")
    eventually(lambda: processes(stack)["commands"][0] not in (None, killed), "commands runs again")
    stack.wait_ready(60)


@pytest.mark.parametrize("name", ["commands", "projector-2", "redis"])
def test_a_frozen_process_is_seen_as_such_and_goes_on(stack: Stack, name: str) -> None:
    before = processes(stack)
    stack.kill(name, signal.SIGSTOP)

    def state() -> str:
        status = stack.status()
        return str({**status["servers"], **status["services"]}[name]["state"])

    # the kernel stops thread after thread: on a busy machine the signal takes effect later
    eventually(lambda: state() == "frozen", f"{name} is frozen")
    shown = verb(stack, "status", COLUMNS="200").stdout
    assert "frozen" in next(line for line in shown.splitlines() if line.startswith(name))
    done = up(stack)
    assert done.returncode == 0, done.stderr
    assert answers(stack)
    assert processes(stack) == before


def test_what_does_not_come_up_is_named_and_the_rest_is_left_alone(stack: Stack) -> None:
    before = processes(stack)
    stack.kill("redis")
    done = up(stack, HITOTSU_REDIS_SERVER="false")
    assert done.returncode == 1
    assert "redis" in done.stderr
    after = processes(stack)
    assert after.pop("redis")[0] is None
    assert before.pop("redis")[0] is not None
    assert after == before
    assert up(stack).returncode == 0


def test_a_service_that_died_under_a_frozen_supervisor_starts_again(stack: Stack) -> None:
    supervisor = Recorded.of(stack.home.read("state")["supervisor"])
    assert supervisor is not None
    supervisor.send(signal.SIGSTOP)
    stack.kill("api")
    assert stack.status()["services"]["api"]["pid"] is None
    done = up(stack)
    assert done.returncode == 0, done.stderr
    assert answers(stack)


def test_projectors_that_start_while_kafka_is_away_are_there_when_it_is_back(
    stack: Stack,
) -> None:
    stack.kill("kafka")
    for name in ("projector-1", "projector-2"):
        stack.kill(name)

    said = set()

    def both_said_so() -> bool:
        for name in ("projector-1", "projector-2"):
            if stack.home.read("services")["services"][name]["exit"] == 69:
                said.add(name)
        return len(said) == 2

    eventually(both_said_so, "both say that Kafka is away")
    stack.restart_server("kafka")
    eventually(lambda: answers(stack), "both read again")
