"""Ctrl-C leaves nothing behind, two commands take turns, and a folder's trouble is one sentence."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.home import Home
from infra.process import Recorded, uninterrupted
from infra.stack import ROOT, Stack

UP = ("up", "--no-registry", "--provider", "native")


def command(home: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    """A command in a session of its own, as a terminal would have it; signals go to all of it."""
    clean = {name: text for name, text in os.environ.items() if name != "HITOTSU_HOME"}
    env = {**clean, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **more}
    return subprocess.Popen(
        [sys.executable, "-m", "services.cli", *words, "--home", str(home)],
        env=env, cwd=home.parent, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def run(home: Path, *words: str, **more: str) -> tuple[int, str]:
    process = command(home, *words, **more)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


def left(home: Path) -> list[str]:
    """Processes that work for a stack: its folder is in their words, or they work in its data."""
    outside = Home(home).read("outside").get("folder")
    marks = [str(home), *([str(outside)] if outside else [])]
    found = []
    for process in psutil.process_iter(["cmdline", "pid"]):
        words = " ".join(process.info["cmdline"] or ())
        if any(mark in words for mark in marks) and process.pid != os.getpid():
            found.append(f"{process.pid} {words[:200]}")
    return found


def eventually(holds: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A shell that runs tests in the background lets them and their children ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "stack"
    yield folder
    for line in left(folder):  # only where a test failed
        psutil.Process(int(line.split()[0])).kill()
    Stack(folder).stop(purge=True)


def recorded(home: Path) -> list[str]:
    servers = Home(home).read("state").get("servers", {})
    return [name for name, entry in servers.items() if (r := Recorded.of(entry)) and r.alive]


def supervised(home: Path) -> bool:
    return bool(Home(home).read("services").get("services"))


@pytest.mark.servers
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "moment", [lambda home: "kafka" in recorded(home), supervised], ids=["servers", "services"]
)
def test_a_start_that_is_broken_off_leaves_nothing_behind(
    home: Path, number: int, moment: Callable[[Path], bool]
) -> None:
    process = command(home, *UP)
    eventually(lambda: moment(home))
    os.killpg(process.pid, number)
    said, _ = process.communicate(timeout=90)
    assert process.returncode != 0
    assert "Traceback" not in said
    assert left(home) == []


@pytest.mark.servers
def test_a_server_s_pid_is_written_before_it_is_waited_for(home: Path) -> None:
    """So that `down` ends what a start left that was killed and could undo nothing."""
    process = command(home, *UP, "--servers-only")
    eventually(lambda: {"postgres", "kafka", "redis"} <= set(recorded(home)))
    process.kill()
    process.communicate()
    assert left(home) != []
    code, _ = run(home, "down")
    assert code == 0
    assert left(home) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_what_was_started_is_written_down(number: int) -> None:
    came: list[str] = []
    before = signal.signal(number, lambda *_: came.append("signal"))
    try:
        with uninterrupted():
            os.kill(os.getpid(), number)
            came.append("written")
        assert came == ["written", "signal"]
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("words", [UP, ("down",), ("demo",)], ids=["up", "down", "demo"])
def test_a_second_command_says_for_whom_it_waits(home: Path, words: tuple[str, ...]) -> None:
    with Home(home).locked(command="hitotsu demo"):
        process = command(home, *words)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert f"waiting for hitotsu demo (process {os.getpid()})" in line
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert left(home) == []


@pytest.mark.parametrize("verb", [("status",), UP, ("down",), ("demo", "--check-only")])
def test_a_file_in_the_folder_s_place_is_one_sentence(
    tmp_path: Path, verb: tuple[str, ...]
) -> None:
    place = tmp_path / "taken"
    place.write_text("not a folder", "utf-8")
    code, said = run(place, *verb)
    assert code != 0
    assert "Traceback" not in said
    assert f"the folder {place} cannot be used" in said
    assert "--home or HITOTSU_HOME" in said


@pytest.mark.parametrize("verb", [("status",), UP])
def test_a_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, verb: tuple[str, ...]
) -> None:
    """Below a file; below /sys nobody makes folders, root included."""
    (tmp_path / "file").touch()
    places = [tmp_path / "file" / "stack", Path("/sys/hitotsu")]
    for place in places if verb == UP else places[:1]:
        if not place.parent.exists():
            continue
        process = subprocess.run(
            [sys.executable, "-m", "services.cli", *verb, "--home", str(place)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert process.returncode == 1, process
        assert "Traceback" not in process.stderr
        assert f"the folder {place} cannot be used" in process.stderr


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from infra.home import HomeUnusable

    own = Home(tmp_path / "full").open()
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fsync(_descriptor: int) -> None:
        raise full

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(HomeUnusable, match=r"full cannot be used: no space left on device; choose"):
        own.write("state", {})
    assert list(own.path.glob(".state*")) == []
