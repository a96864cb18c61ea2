"""A copy of the checkout, in which pages that change it are followed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from services.cli import deployment
from tests.howto.pages import FOLDER, ROOT, START, Reader, halves, terminal

# as fast as the checkout itself: what is compiled of C and of Python
COMPILED = (
    "schemas/wire/*.so",
    "projections/core/*.so",
    *(f"{room}/**/__pycache__/*.pyc" for room in ("infra", "projections", "schemas", "services")),
)
# what the commands of pages write
GENERATED = (
    *deployment.files(), "docs/reference/", "schemas/generated/", "schemas/history/",
)  # fmt: skip


class Change:
    """What a page made of the checkout: the files that its reader wrote, and all that differs."""

    def __init__(self, written: list[str], differing: list[str]) -> None:
        self.written = sorted(set(written))
        self.by_hand = [name for name in self.written if not name.startswith("tests/")]
        self.generated = sorted(set(differing) - set(written))


class Checkout:
    """A copy of the checkout with a history of its own. Each page is followed in it once."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.environment = terminal(folder, home)
        self._changes: dict[str, Change | AssertionError] = {}
        copy_checkout(folder)
        self._git("init", "--quiet")
        self.commit("as it was")

    def followed(self, page: Path) -> Change:
        """Follows the page up to where it starts the stack anew.

        Raises the page's AssertionError, each time; what it had changed is taken back.
        """
        if page.stem not in self._changes:
            self._changes[page.stem] = self._follow(page)
        change = self._changes[page.stem]
        if isinstance(change, AssertionError):
            raise change
        return change

    def differing(self) -> list[str]:
        """Files that are new or differ from what was committed last."""
        status = self._git("status", "--porcelain", "--untracked-files=all")
        return [line[3:] for line in status.splitlines()]

    def commit(self, message: str) -> None:
        """Keeps what is there now."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)

    def run(self, *argv: str) -> str:
        """What a command prints; Python is that of the tests."""
        return _run(self.folder, (sys.executable, *argv), self.environment)

    def written(self, page: Path) -> list[str]:
        """The files that the page's reader wrote or changed, its tests included."""
        change = self._changes.get(page.stem)
        return change.written if isinstance(change, Change) else []

    def generate(self) -> None:
        """Writes what follows from all changes, as every page that makes some says."""
        self._bash(START.splitlines()[0])

    def start(self) -> None:
        """Starts the stack anew, as every page that changes the checkout says."""
        self._bash(START)

    def types(self, modules: list[str]) -> None:
        """Checks the types of these modules, with what was checked of the checkout already."""
        cache = self.folder / ".mypy_cache"
        if (ROOT / cache.name).is_dir() and not cache.exists():
            shutil.copytree(ROOT / cache.name, cache)
        self.run("-m", "mypy", "--strict", *modules)

    def layers(self) -> None:
        """Checks who may import whom."""
        _run(self.folder, ("lint-imports", "--no-cache"), self.environment)

    def _follow(self, page: Path) -> Change | AssertionError:
        reader = Reader(self.folder, self.environment)
        before, _ = halves(page)
        try:
            assert reader.follow(before), f"{page.name} has nothing that could be followed"
        except AssertionError as error:
            self._git("reset", "--quiet", "--hard")
            self._git("clean", "--quiet", "--force", "-d")
            return error
        change = Change(reader.written, self.differing())
        self.commit(page.stem)
        return change

    def _bash(self, script: str) -> None:
        _run(self.folder, ("bash", "-euc", script), self.environment)

    def _git(self, *argv: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
        return _run(self.folder, ("git", *who, *argv), self.environment)


def changing() -> list[Path]:
    """The pages that change the checkout: those that name a file of it."""
    rooms = ("services/", "projections/", "schemas/")
    return [
        page
        for page in sorted(FOLDER.glob("*.md"))
        if any(str(block.file).startswith(rooms) for block in halves(page)[0])
    ]


def copy_checkout(folder: Path) -> None:
    """Copies what is in the repository, and what is compiled of it, into a folder."""
    listed = _run(
        ROOT, ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"), {}
    ).split("\0")
    compiled = [str(path.relative_to(ROOT)) for each in COMPILED for path in ROOT.glob(each)]
    for name in filter(None, (*listed, *compiled)):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def _run(folder: Path, argv: tuple[str, ...], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        argv, cwd=folder, env=environment or None, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout
