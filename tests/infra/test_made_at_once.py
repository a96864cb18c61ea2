"""Two first `make` in one checkout: is each step of the environment done once, and not at once?"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.stack import ROOT

pytestmark = pytest.mark.skipif(
    not (shutil.which("flock") and shutil.which("make")), reason="where the machine has no flock"
)

# Notes the step, and fails when another one is being done.
STEP = """#!/bin/sh
mkdir busy || exit 1
echo "$0 $*" >>steps
sleep 0.3
mkdir -p .venv/bin
cp .ci/step .venv/bin/python
rmdir busy
"""
PYTHON = """#!/bin/sh
echo "$PWD/.ci/step"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile and what its stamps depend on; programs that only note that they ran."""
    (tmp_path / ".ci").mkdir()
    for name, text in (("python", PYTHON), ("step", STEP), ("sync", STEP)):
        program = tmp_path / ".ci" / name
        program.write_text(text, "utf-8")
        program.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("infra", "requirements"):
        (tmp_path / name).mkdir()
    for name in ("pyproject.toml", "infra/c_extensions.py"):
        (tmp_path / name).touch()
    for name in ("bootstrap", "demo", "dev"):
        (tmp_path / "requirements" / f"{name}.txt").touch()
    return tmp_path


def make(checkout: Path, *stamps: str) -> list[str]:
    """Makes the stamps at once; answers the steps that were done for that."""
    (checkout / "steps").write_text("", "utf-8")
    env = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    running = [
        subprocess.Popen(
            ["make", f".venv/{stamp}.stamp"], cwd=checkout, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for stamp in stamps
    ]  # fmt: skip
    said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(stamps), said
    return (checkout / "steps").read_text("utf-8").splitlines()


def test_two_at_once_do_each_step_once(checkout: Path) -> None:
    steps = make(checkout, "demo", "demo")
    assert [step.split()[1:3] for step in steps] == [
        ["-m", "venv"],
        ["-m", "pip"],
        ["demo", ".venv"],
    ]
    assert make(checkout, "demo", "demo") == []


def test_a_developer_s_environment_is_brought_up_to_date_under_the_same_lock(
    checkout: Path,
) -> None:
    make(checkout, "dev", "demo")
    later = (checkout / ".venv" / "dev.stamp").stat().st_mtime + 1
    for name in ("demo", "dev"):
        os.utime(checkout / "requirements" / f"{name}.txt", (later, later))
    assert [step.split()[1] for step in make(checkout, "demo")] == ["dev"]


def test_what_fails_is_not_taken_for_made(checkout: Path) -> None:
    sync = checkout / ".ci" / "sync"
    sync.write_text("#!/bin/sh\nexit 3\n", "utf-8")
    with pytest.raises(AssertionError):
        make(checkout, "demo")
    assert not (checkout / ".venv" / "demo.stamp").exists()
