"""Is a forked module a process as `python -m` would have started it?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from schemas.wire.compiled_codec import PURE_VARIABLE
from tests.forks import ROOT, Forked, run, start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="starts anew elsewhere")

SHOWS = """
import os, sys, tempfile, threading
print(os.getpid(), sys.argv[1:], os.getcwd(), os.environ.get("ONLY_HERE"), tempfile.gettempdir())
print(sys.stdin.read(), threading.active_count(), __name__, len(os.listdir("/proc/self/fd")))
print("to errors", file=sys.stderr)
sys.exit(3)
"""
WAITS = "import time\nprint('waits', flush=True)\ntime.sleep(60)\n"


@pytest.fixture
def module(tmp_path: Path) -> str:
    """The name of a module in the folder in which it is run."""
    (tmp_path / "shows.py").write_text(SHOWS, "utf-8")
    (tmp_path / "waits.py").write_text(WAITS, "utf-8")
    return "shows"


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, **more}


def test_it_has_a_pid_words_folder_environment_and_input_of_its_own(
    module: str, tmp_path: Path
) -> None:
    (tmp_path / "input").write_text("typed", "utf-8")
    env = environment(ONLY_HERE="yes", TMPDIR=str(tmp_path))
    with (tmp_path / "input").open() as file:
        process = Forked(module, "a", "b c", env=env, cwd=tmp_path, stdin=file.fileno())
        out, errors = process.communicate(timeout=20)
    first, second, _ = out.decode().split("\n")
    assert first == f"{process.pid} ['a', 'b c'] {tmp_path} yes {tmp_path}"
    assert second.startswith("typed 1 __main__ ")
    assert int(second.split()[-1]) <= 4, "standard streams, and the folder that is listed"
    assert errors == b"to errors\n"
    assert process.returncode == 3
    assert "ONLY_HERE" not in run(module, env=environment(), cwd=tmp_path).stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_is_its_status(module: str, tmp_path: Path, number: int) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = Forked("waits", env=environment(), cwd=tmp_path, output=log)
    while (tmp_path / "log").read_bytes() != b"waits\n":
        assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.send_signal(number)
    assert process.wait(20) == -number
    assert process.poll() == -number
    process.kill()  # nothing happens to whoever has the pid now


def test_several_threads_may_wait_for_it(module: str, tmp_path: Path) -> None:
    process = Forked("waits", env=environment(), cwd=tmp_path)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(process.wait(20))) for _ in range(8)]
    for thread in threads:
        thread.start()
    process.kill()
    for thread in threads:
        thread.join()
    assert found == [-signal.SIGKILL] * 8
    process.communicate()


def test_another_checkout_and_another_codec_are_imported_anew(tmp_path: Path) -> None:
    (tmp_path / "shows.py").write_text(SHOWS, "utf-8")
    for env in (environment(PYTHONPATH=str(tmp_path)), environment(**{PURE_VARIABLE: "1"})):
        process = start("shows", env=env, cwd=tmp_path)
        assert isinstance(process, subprocess.Popen)
        process.communicate()
        assert process.returncode == 3


def test_what_a_verb_says_is_what_it_says_when_started_anew() -> None:
    words = ("rebuild", "--help")
    env = environment(COLUMNS="90", TERM="dumb")
    command = [sys.executable, "-m", "services.cli", *words]
    anew = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    forked = run("services.cli", *words, env=env)
    assert (forked.returncode, forked.stdout, forked.stderr) == (0, anew.stdout, anew.stderr)
