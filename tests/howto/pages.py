"""What does a page of docs/howto tell its reader to run, to write, and to expect?

A fenced block is an instruction. A line "`NAME`:" before it says that it is a file. Otherwise `sh`
is run by bash, `python` by Python, and `text` is what is printed before it, where `…` is
anything. Any other block has nothing that could follow it.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "howto"
Kind = Literal["file", "sh", "python", "output", "unknown"]

_BLOCK = re.compile(
    r"(?:^`(?P<file>[\w/.-]+)`:\n\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its language, its text, its line, and the file that it is to become."""

    language: str
    text: str
    file: str | None
    line: int

    @property
    def kind(self) -> Kind:
        """What a reader does with it."""
        if self.file:
            return "file"
        kinds: dict[str, Kind] = {"sh": "sh", "python": "python", "text": "output"}
        return kinds.get(self.language, "unknown")


def blocks(page: Path) -> Iterator[Block]:
    """The page's fenced blocks, in order."""
    text = page.read_text("utf-8")
    for match in _BLOCK.finditer(text):
        yield Block(
            language=match["language"],
            text=match["text"],
            file=match["file"],
            line=text.count("\n", 0, match.start()) + 1,
        )


def expected(output: str) -> re.Pattern[str]:
    """Finds the lines of an output block in what a command printed."""
    lines = (re.escape(line).replace("…", ".*?") for line in output.strip("\n").splitlines())
    return re.compile("\n".join(rf"[ \t]*{line.strip()}[ \t]*" for line in lines))


class Reader:
    """Follows pages block by block, in a folder and an environment of its own.

    Variables that a block sets are there in the blocks after it, as in a terminal.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.printed: list[str] = []

    def follow(self, page: Path) -> int:
        """Does all that the page says; answers how many blocks that were."""
        followed = 0
        for block in blocks(page):
            place = f"{page.name}:{block.line}"
            if block.kind == "file":
                target = self.folder / str(block.file)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block.text, "utf-8")
            elif block.kind == "sh":
                self.printed.append(self._shell(place, block.text))
            elif block.kind == "python":
                self.printed.append(self._run(place, [sys.executable, "-"], block.text))
            elif block.kind == "output":
                assert self.printed, f"{place}: output of no command"
                assert expected(block.text).search(self.printed[-1]), (
                    f"{place}: the page says\n{block.text}\nbut this came:\n{self.printed[-1]}"
                )
            else:
                raise AssertionError(f"{place}: nobody can follow a block of {block.language!r}")
            followed += 1
        return followed

    def _shell(self, place: str, text: str) -> str:
        state = self.folder / ".variables"
        script = f"set -euo pipefail -o allexport\n{text}\nenv -0 > {shlex.quote(str(state))}\n"
        printed = self._run(place, ["bash", "-c", script], None)
        pairs = (pair.partition("=") for pair in state.read_text("utf-8").split("\0") if pair)
        self.environment = {name: value for name, _, value in pairs}
        return printed

    def _run(self, place: str, argv: list[str], text: str | None) -> str:
        done = subprocess.run(
            argv,
            input=text or "",
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{place} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout


def terminal(home: Path) -> dict[str, str]:
    """The environment of a terminal in which `hitotsu` is installed and its home is chosen."""
    inherited = {
        name: text for name, text in os.environ.items() if not name.startswith("HITOTSU_")
    } | {name: text for name, text in os.environ.items() if name == "HITOTSU_CACHE"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **inherited,
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "HITOTSU_HOME": str(home),
        "COLUMNS": "200",
    }
