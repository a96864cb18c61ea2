"""Services are kept running, noted, and stopped in reverse order."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from infra.backend import ProviderError
from infra.home import Home
from infra.process import Recorded, StartError
from infra.stack import Stack
from infra.supervisor import Service

WEB = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *a): pass
def leave(*_):
    with open(os.environ["ORDER"], "a") as order: order.write(os.environ["NAME"] + " ")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
HTTPServer(("127.0.0.1", int(os.environ["HITOTSU_PORT"])), Ready).serve_forever()
"""


def web(home: Home, name: str) -> Service:
    port = home.port(name)
    return Service(
        name=name,
        argv=(sys.executable, "-c", WEB),
        log=str(home.log(name)),
        env={"HITOTSU_PORT": str(port), "NAME": name},
        url=f"http://127.0.0.1:{port}",
    )


def eventually(holds: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


@pytest.fixture
def stack(home: Home) -> Iterator[Stack]:
    stack = Stack(home.path, "native", registry=False)
    yield stack
    stack.stop()


def order(home: Home) -> dict[str, str]:
    return {"ORDER": str(home.path / "order")}


def test_services_come_up_are_noted_and_stop_in_reverse_order(stack: Stack, home: Home) -> None:
    stack.start_services([web(home, "gateway"), web(home, "api")], order(home))
    stack.wait_ready(20.0)
    services = stack.status()["services"]
    assert {name: bool(entry["pid"]) for name, entry in services.items()} == {
        "gateway": True,
        "api": True,
    }
    file = home.path / "services.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    stack.stop()
    assert (home.path / "order").read_text().split() == ["api", "gateway"]
    assert stack.status()["services"] == {}


def test_a_killed_service_is_started_again_at_the_same_address(stack: Stack, home: Home) -> None:
    stack.start_services([web(home, "gateway")], order(home))
    stack.wait_ready(20.0)
    before = stack.status()["services"]["gateway"]
    assert stack.kill("gateway") == before["pid"]
    eventually(lambda: stack.status()["services"]["gateway"]["pid"] not in (None, before["pid"]))
    stack.wait_ready(20.0)
    after = stack.status()["services"]["gateway"]
    assert after["url"] == before["url"]
    assert after["restarts"] == 1


@pytest.mark.parametrize("code", [0, 1, 69, 75])
def test_whatever_ends_without_being_told_to_starts_again_and_its_code_is_noted(
    stack: Stack, home: Home, code: int
) -> None:
    ends = Service("ends", (sys.executable, "-c", f"exit({code})"), str(home.log("ends")))
    stack.start_services([ends], {})
    eventually(lambda: stack.status()["services"].get("ends", {}).get("restarts", 0) >= 2)
    eventually(lambda: stack.status()["services"]["ends"]["exit"] == code)


def test_a_service_that_got_sigterm_by_hand_starts_again(stack: Stack, home: Home) -> None:
    stack.start_services([web(home, "gateway")], order(home))
    stack.wait_ready(20.0)
    pid = stack.kill("gateway", signal.SIGTERM)
    eventually(lambda: stack.status()["services"]["gateway"]["pid"] not in (None, pid))
    stack.wait_ready(20.0)
    assert stack.status()["services"]["gateway"]["restarts"] == 1


def test_a_service_that_cannot_be_started_is_tried_again(stack: Stack, home: Home) -> None:
    """Its log cannot be opened for a while, as on a full disk: that must not end its keeper."""
    service = web(home, "gateway")
    blocked = home.log("gateway")
    blocked.mkdir()
    stack.start_services([service], order(home))
    eventually(lambda: "cannot be started" in home.log("supervisor").read_text())
    blocked.rmdir()
    stack.wait_ready(20.0)


def test_what_an_earlier_supervisor_started_is_left_alone_and_looked_after(
    stack: Stack, home: Home
) -> None:
    both = [web(home, "gateway"), web(home, "api")]
    stack.start_services(both, order(home))
    stack.wait_ready(20.0)
    supervisor = Recorded.of(home.read("state")["supervisor"])
    assert supervisor is not None
    supervisor.stop(signal.SIGKILL)
    before = stack.status()["services"]
    stack.kill("api")
    stack.complete_services(both, order(home))
    stack.wait_ready(20.0)
    after = stack.status()["services"]
    assert after["gateway"]["pid"] == before["gateway"]["pid"]
    assert after["api"]["pid"] not in (None, before["api"]["pid"])
    killed = stack.kill("gateway")
    eventually(lambda: stack.status()["services"]["gateway"]["pid"] not in (None, killed))
    stack.wait_ready(20.0)
    stack.stop()
    assert (home.path / "order").read_text().split() == ["api", "gateway"]


def test_services_that_were_told_other_addresses_start_anew(stack: Stack, home: Home) -> None:
    stack.start_services([web(home, "gateway")], order(home))
    stack.wait_ready(20.0)
    before = stack.status()["services"]["gateway"]["pid"]
    home.write("state", {**home.read("state"), "endpoints": {"kafka": "127.0.0.1:2"}})
    stack.complete_services([web(home, "gateway")], order(home))
    stack.wait_ready(20.0)
    assert stack.status()["services"]["gateway"]["pid"] not in (None, before)


def test_a_service_that_takes_connections_and_does_not_answer_is_started_again(
    stack: Stack, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.stack.HUNG_SECONDS", 1.0)
    monkeypatch.setattr("infra.stack.HUNG_BOUND_SECONDS", 0.5)
    stuck = home.path / "stuck"
    service = web(home, "gateway")
    hangs = "import os, socket, time\n" + (
        "if os.path.exists(os.environ['STUCK']):\n"
        "    os.unlink(os.environ['STUCK'])\n"
        "    taken = socket.create_server(('127.0.0.1', int(os.environ['HITOTSU_PORT'])))\n"
        "    time.sleep(60)\n"
    )
    stuck.touch()
    argv = (sys.executable, "-c", hangs + WEB)
    stack.start_services(
        [Service(**{**asdict(service), "argv": argv})], {**order(home), "STUCK": str(stuck)}
    )
    eventually(lambda: not stuck.exists())
    eventually(lambda: stack.restart_hung() == ["gateway"])
    stack.wait_ready(20.0)
    assert stack.restart_hung() == []


def test_a_frozen_service_is_called_so_and_goes_on(stack: Stack, home: Home) -> None:
    stack.start_services([web(home, "gateway")], order(home))
    stack.wait_ready(20.0)
    pid = stack.kill("gateway", signal.SIGSTOP)
    eventually(lambda: stack.status()["services"]["gateway"]["state"] == "frozen")
    assert stack.resume() == ["gateway"]
    stack.wait_ready(20.0)
    running = stack.status()["services"]["gateway"]
    assert (running["pid"], running["state"]) == (pid, "running")
    assert stack.resume() == []


def test_a_service_that_never_gets_ready_is_reported_with_its_log(stack: Stack, home: Home) -> None:
    broken = Service(
        "gateway",
        (sys.executable, "-c", "raise SystemExit('the till is jammed')"),
        str(home.log("gateway")),
        url="http://127.0.0.1:1",
    )
    stack.start_services([broken], {})
    with pytest.raises(StartError, match="the till is jammed"):
        stack.wait_ready(2.0)


def test_services_left_by_a_killed_supervisor_are_stopped_before_new_ones_start(
    stack: Stack, home: Home
) -> None:
    stack.start_services([web(home, "gateway")], order(home))
    stack.wait_ready(20.0)
    left = Recorded.of(home.read("services")["services"]["gateway"])
    supervisor = Recorded.of(home.read("state")["supervisor"])
    assert left is not None and supervisor is not None
    supervisor.send(signal.SIGKILL)
    assert supervisor.wait(30.0)
    assert left.process() is not None
    stack.start_services([web(home, "gateway")], order(home))
    stack.wait_ready(20.0)
    assert left.process() is None
    assert stack.status()["services"]["gateway"]["pid"] != left.pid


def test_secrets_reach_services_by_their_environment_and_never_the_command_line(
    stack: Stack, home: Home
) -> None:
    key = {"HITOTSU_BLIND_INDEX_KEY": "s3cret"}
    stack.start_services([web(home, "gateway")], {**order(home), **key})
    stack.wait_ready(20.0)
    supervisor = Recorded.of(home.read("state")["supervisor"])
    process = supervisor.process() if supervisor else None
    assert process is not None
    for each in (process, *process.children()):
        assert "s3cret" not in " ".join(each.cmdline())
    written = [path for path in home.path.rglob("*") if path.is_file() and os.access(path, os.R_OK)]
    assert not [path for path in written if b"s3cret" in path.read_bytes()]


def test_asking_to_kill_what_is_not_there_says_what_is(stack: Stack) -> None:
    with pytest.raises(ProviderError, match="unknown process 'kafka'; known: nothing"):
        stack.kill("kafka")
