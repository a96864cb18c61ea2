"""A recorded pid is believed only together with its start time."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra.process import Recorded, StartError, spawn, wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = "import signal as s, time; s.signal(15, s.SIG_IGN); print('on', flush=True); time.sleep(60)"
STUBBORN = [sys.executable, "-c", DEAF]


def test_a_pid_that_now_belongs_to_another_program_is_never_signalled() -> None:
    started = psutil.Process().create_time()
    stale = Recorded(os.getpid(), started - 3600)
    assert not stale.alive
    assert not stale.send(signal.SIGKILL)
    assert Recorded(os.getpid(), started).alive


def test_a_process_that_ended_is_not_alive_though_nobody_waited_for_it(tmp_path: Path) -> None:
    process = spawn(SLEEPER, tmp_path / "log")
    assert process.alive
    assert process.send(signal.SIGKILL)
    assert process.wait(5.0)
    assert not process.alive


def test_a_process_that_does_not_listen_is_killed_after_the_bound(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = spawn(STUBBORN, log)
    wait_until(lambda: "on" in log.read_text(), process, "stubborn", log, 10.0)
    began = time.monotonic()
    process.stop(bound_seconds=0.5)
    assert not process.alive
    assert 0.4 < time.monotonic() - began < 5.0


def test_a_server_that_ends_while_starting_says_what_its_log_says(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = spawn([sys.executable, "-c", "raise SystemExit('no room on the shelf')"], log)
    with pytest.raises(StartError, match="no room on the shelf"):
        wait_until(lambda: False, process, "shelf", log, 10.0)
