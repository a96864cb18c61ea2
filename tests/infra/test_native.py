"""Real servers: they come up privately, survive kills, and come back with their data."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from infra import probe
from infra.backend import ProviderError
from infra.process import Recorded
from infra.stack import ROOT, Stack

pytestmark = pytest.mark.servers


def pids(stack: Stack) -> dict[str, int | None]:
    return {name: entry["pid"] for name, entry in stack.status()["servers"].items()}


def test_all_servers_answer_in_their_own_language(own_stack: Stack) -> None:
    for name, entry in own_stack.status()["servers"].items():
        assert probe.obstacle(name, entry["url"]) is None
        assert entry["version"]
        assert Path(entry["log"]).exists()


def test_nothing_listens_beyond_this_machine(own_stack: Stack) -> None:
    listening = []
    for pid in pids(own_stack).values():
        assert pid is not None
        for connection in psutil.Process(pid).net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                listening.append(connection.laddr.ip)
    assert len(listening) >= 3
    assert {ip.removeprefix("::ffff:") for ip in listening} <= {"127.0.0.1", "::1"}


def test_strangers_are_not_let_in(own_stack: Stack) -> None:
    endpoints = own_stack.endpoints()
    port = psycopg.conninfo.conninfo_to_dict(endpoints.postgres)["port"]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/hitotsu")
    stranger = redis.Redis(port=int(probe.address("redis", endpoints.redis).split(":")[1]))
    with pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_starting_what_runs_changes_nothing(own_stack: Stack) -> None:
    before, said = pids(own_stack), []
    own_stack.start_servers(lambda name, doing, ready: said.append((name, doing, ready)))
    assert pids(own_stack) == before
    assert all("already running" in doing for _name, doing, ready in said if ready)


def test_two_starts_at_once_start_each_server_once(own_stack: Stack) -> None:
    data = own_stack.status()["servers"]["postgres"]["data"]
    own_stack.stop()
    command = [
        sys.executable,
        "-c",
        "import sys; from infra.stack import Stack;"
        "Stack(sys.argv[1], 'native', registry=False).start_servers()",
        str(own_stack.home.path),
    ]
    both = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [one.wait(120) for one in both] == [0, 0]
    mains = [
        process
        for process in psutil.process_iter(["cmdline"])
        if data in (process.info["cmdline"] or ())
    ]
    assert [process.pid for process in mains] == [pids(own_stack)["postgres"]]


def test_data_and_addresses_survive_down_and_up(own_stack: Stack) -> None:
    before = own_stack.start_servers()
    with psycopg.connect(before.postgres, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    own_stack.stop()
    assert own_stack.status()["servers"] == {}
    assert own_stack.start_servers() == before
    with psycopg.connect(before.postgres) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_every_server_killed_at_once_comes_back_at_the_same_address(own_stack: Stack) -> None:
    before = own_stack.start_servers()
    at_work = threading.Thread(target=long_query, args=(before.postgres,))
    at_work.start()
    for name in ("postgres", "kafka", "redis"):
        own_stack.kill(name)
    assert set(pids(own_stack).values()) == {None}
    assert own_stack.start_servers() == before
    at_work.join(10)
    for name, entry in own_stack.status()["servers"].items():
        assert probe.obstacle(name, entry["url"]) is None


def test_one_killed_server_can_be_started_again_alone(own_stack: Stack) -> None:
    before = own_stack.start_servers()
    untouched = {name: pid for name, pid in pids(own_stack).items() if name != "redis"}
    own_stack.kill("redis")
    own_stack.restart_server("redis")
    assert own_stack.endpoints() == before
    assert {name: pid for name, pid in pids(own_stack).items() if name != "redis"} == untouched
    with pytest.raises(ProviderError, match="unknown server 'oracle'; known servers: kafka"):
        own_stack.restart_server("oracle")


def test_a_stale_pid_of_another_program_is_neither_believed_nor_killed(own_stack: Stack) -> None:
    own_stack.start_servers()
    data = Path(own_stack.status()["servers"]["postgres"]["data"])
    own_stack.stop()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    try:
        (data / "postmaster.pid").write_text(f"{bystander.pid}\n{data}\n0\n5432\n\n\n\n")
        kafka = {"pid": bystander.pid, "started": 1.0, "url": "127.0.0.1:1", "log": ""}
        own_stack.home.write("state", {"provider": "native", "servers": {"kafka": kafka}})
        assert pids(own_stack)["kafka"] is None
        own_stack.start_servers()
        assert pids(own_stack)["kafka"] != bystander.pid
        own_stack.stop()
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_server_that_cannot_start_takes_the_others_down_and_says_why(
    own_stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_stack.stop()
    monkeypatch.setenv("HITOTSU_REDIS_SERVER", "false")
    with pytest.raises(Exception, match="redis"):
        own_stack.start_servers()
    assert set(pids(own_stack).values()) <= {None}
    monkeypatch.delenv("HITOTSU_REDIS_SERVER")
    own_stack.start_servers()


def test_a_paused_server_is_stopped_all_the_same(own_stack: Stack) -> None:
    own_stack.start_servers()
    pid = own_stack.kill("redis", signal.SIGSTOP)
    recorded = Recorded(pid, psutil.Process(pid).create_time())
    recorded.stop(bound_seconds=0.5)
    assert not recorded.alive
    own_stack.start_servers()


def test_a_home_closed_to_others_still_serves(own_stack: Stack) -> None:
    """It always is: see test_closed for programs that are closed as well."""
    assert oct(own_stack.home.path.stat().st_mode)[-3:] == "700"
    owner = psutil.Process(own_stack.kill("postgres", 0)).uids().effective
    assert owner != 0 and (os.geteuid() == 0 or owner == os.geteuid())


def long_query(url: str) -> None:
    """A backend that is at work when its server is killed, as in a busy shop."""
    try:
        with psycopg.connect(url) as connection:
            connection.execute("SELECT count(*) FROM generate_series(1, 500000000)")
    except psycopg.OperationalError:
        return


def test_ports_are_below_those_that_systems_give_to_clients(own_stack: Stack) -> None:
    with socket.socket() as client:
        client.bind(("127.0.0.1", 0))
        given = client.getsockname()[1]
    assert max(own_stack.home.read("ports").values()) < given
