"""What does a page of docs/howto tell its reader to run, to write, and to expect?

A fenced block is an instruction. A line "`PATH`:" before it says that it is a file: a new one, or
with the language `diff` lines to find in it and to change. Otherwise `sh` is run by bash, `python`
by Python, and `text` is what is printed before it, where `…` is anything. Any other block has
nothing that could follow it.

A page that changes the checkout is followed in it up to the block that starts the stack anew, and
after it on that stack.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "howto"
# the block after which a page is followed on the stack
START = """python -m services.cli.deployment && python -m services.cli.reference
hitotsu down && hitotsu up
"""
Kind = Literal["file", "edit", "sh", "python", "output", "unknown"]

_BLOCK = re.compile(
    r"(?:^(?: *)`(?P<file>[\w/.-]+)`:\n\n)?^(?P<indent> *)```(?P<language>\w*)\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.M | re.S,
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its page and line, its language, its text, and the file that it is about."""

    page: str
    line: int
    language: str
    text: str
    file: str | None

    @property
    def place(self) -> str:
        """The page and the line, as an error names them."""
        return f"{self.page}:{self.line}"

    @property
    def kind(self) -> Kind:
        """What a reader does with it."""
        if self.file:
            return "edit" if self.language == "diff" else "file"
        kinds: dict[str, Kind] = {"sh": "sh", "python": "python", "text": "output"}
        return kinds.get(self.language, "unknown")


def blocks(page: Path) -> list[Block]:
    """The page's fenced blocks, in order."""
    text = page.read_text("utf-8")
    return [
        Block(
            page=page.name,
            line=text.count("\n", 0, match.start("language")) + 1,
            language=match["language"],
            text=textwrap.dedent(match["text"]) if match["indent"] else match["text"],
            file=match["file"],
        )
        for match in _BLOCK.finditer(text)
    ]


def halves(page: Path) -> tuple[list[Block], list[Block]]:
    """The blocks before the stack is started anew, and those after it; all of them before it where
    it is not."""
    found = blocks(page)
    starts = [place for place, block in enumerate(found) if block.text == START]
    assert len(starts) < 2, f"{page.name} starts the stack twice"
    place = starts[0] if starts else len(found)
    return found[:place], found[place + 1 :]


def expected(output: str) -> re.Pattern[str]:
    """Finds the lines of an output block in what a command printed."""
    lines = (re.escape(line).replace("…", ".*?") for line in output.strip("\n").splitlines())
    return re.compile("\n".join(rf"[ \t]*{line.strip()}[ \t]*" for line in lines))


def changed(text: str, change: str) -> str:
    """The text with the change made; the lines that are to be found in it must be there once.

    Raises ValueError with what was looked for.
    """
    lines = change.splitlines(keepends=True)
    found = "".join(line[1:] for line in lines if not line.startswith("+"))
    if text.count(found) != 1:
        raise ValueError(f"there are {text.count(found)} places for\n{found}")
    return text.replace(found, "".join(line[1:] for line in lines if not line.startswith("-")))


class Reader:
    """Follows blocks in a folder and an environment of its own.

    Variables that a block sets are there in the blocks after it, as in a terminal.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.printed: list[str] = []
        self.written: list[str] = []

    def follow(self, instructions: Iterable[Block]) -> int:
        """Does all that they say; answers how many they were."""
        followed = 0
        for block in instructions:
            self._follow(block)
            followed += 1
        return followed

    def _follow(self, block: Block) -> None:
        if block.kind == "file":
            self._write(block, self.folder / str(block.file))
        elif block.kind == "edit":
            self._edit(block, self.folder / str(block.file))
        elif block.kind == "sh":
            self.printed.append(self._shell(block))
        elif block.kind == "python":
            self.printed.append(self._run(block.place, [sys.executable, "-"], block.text))
        elif block.kind == "output":
            assert self.printed, f"{block.place}: output of no command"
            assert expected(block.text).search(self.printed[-1]), (
                f"{block.place}: the page says\n{block.text}\nbut this came:\n{self.printed[-1]}"
            )
        else:
            raise AssertionError(f"{block.place}: a block of {block.language!r} has no reader")

    def _write(self, block: Block, path: Path) -> None:
        assert not path.exists(), f"{block.place}: {block.file} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, "utf-8")
        self.written.append(str(block.file))

    def _edit(self, block: Block, path: Path) -> None:
        try:
            path.write_text(changed(path.read_text("utf-8"), block.text), "utf-8")
        except ValueError as error:
            raise AssertionError(f"{block.place}: in {block.file} {error}") from None
        self.written.append(str(block.file))

    def _shell(self, block: Block) -> str:
        state = self.folder / ".variables"
        script = f"set -euo pipefail -o allexport\n{block.text}\nenv -0 > {shlex.quote(str(state))}"
        try:
            printed = self._run(block.place, ["bash", "-c", script], None)
            pairs = (pair.partition("=") for pair in state.read_text("utf-8").split("\0") if pair)
            self.environment = {name: value for name, _, value in pairs}
        finally:
            state.unlink(missing_ok=True)
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


def terminal(checkout: Path, home: Path) -> dict[str, str]:
    """The environment of a terminal in which a checkout is installed and a stack's home chosen."""
    kept = ("HITOTSU_CACHE",)
    dropped = ("PYTHONDONTWRITEBYTECODE",)  # every command would compile all modules again
    inherited = {
        name: text
        for name, text in os.environ.items()
        if name in kept or not name.startswith(("HITOTSU_", *dropped))
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **inherited,
        "PATH": path,
        "PYTHONPATH": str(checkout),
        "HITOTSU_HOME": str(home),
        "COLUMNS": "200",
    }
