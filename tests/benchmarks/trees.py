"""Which tree's projectors are measured? This one, or a git worktree of another commit.

A tree is a folder, the interpreter that runs it, and a name. Its code is found by PYTHONPATH and
by the working folder, both of which go before what is installed.
"""

from __future__ import annotations

import filecmp
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.c_extensions import compile_all

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path("requirements/demo.txt")
PREPARE_SECONDS = 120.0


class NoTree(Exception):
    """The commit cannot be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A checkout and the Python that runs it."""

    name: str
    folder: Path
    python: str

    def env(self, env: Mapping[str, str]) -> dict[str, str]:
        """The environment in which its modules are the ones that are imported."""
        return {**env, "PYTHONPATH": str(self.folder)}

    def prepare(self, env: Mapping[str, str]) -> None:
        """Its tables and topics, by its own command."""
        command = [self.python, "-m", "services.cli", "prepare"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env(env), capture_output=True, text=True,
            timeout=PREPARE_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NoTree(f"{self.name}: tables were not prepared\n{done.stderr[-2000:]}")

    def schema_ids(self) -> set[int]:
        """The ids of the schemas that it can read."""
        # a tree of before 0.2 keeps them one folder higher
        listed = [self.folder / "schemas" / name for name in ("history/ids.json", "ids.json")]
        path = next(path for path in listed if path.exists())
        return {int(number) for number in json.loads(_text(path))}


THIS = Tree("this tree", ROOT, sys.executable)


@contextmanager
def worktree(revision: str) -> Iterator[Tree]:
    """A commit of this repository in a folder of its own, compiled, which goes afterwards."""
    commit = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if commit.returncode:
        raise NoTree(f"{revision} is not a commit of this repository")
    with tempfile.TemporaryDirectory(prefix="hitotsu-against-") as temporary:
        folder = Path(temporary) / "tree"
        try:
            made = _git("worktree", "add", "--detach", str(folder), commit.stdout.strip())
            if made.returncode:
                raise NoTree(f"{revision}: no worktree: {made.stderr.strip()}")
            tree = Tree(revision, folder, _interpreter(folder, Path(temporary) / "venv"))
            _compile_both(tree)
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _interpreter(folder: Path, own: Path) -> str:
    """This Python where both trees need the same packages, else one of an own environment."""
    if filecmp.cmp(ROOT / REQUIREMENTS, folder / REQUIREMENTS, shallow=False):
        return sys.executable
    python = str(own / "bin" / "python")
    install = ["-m", "pip", "install", "--quiet", "--require-hashes", "-r"]
    for command in (
        [sys.executable, "-m", "venv", str(own)],
        [python, *install, str(folder / REQUIREMENTS)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoTree(f"its packages were not installed: {done.stderr[-2000:]}")
    return python


def _compile_both(other: Tree) -> None:
    """What is written in C runs as C in both, or in neither."""
    if bool(compile_all(ROOT)) != bool(compile_all(other.folder)):
        raise NoTree("what is written in C was compiled in one tree and not in the other")


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    # hooks and editors of whoever calls have no say
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def _text(path: Path) -> str:
    return path.read_text("utf-8")
