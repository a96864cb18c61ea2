"""Does docs/howto/add-a-held-thing.md work for somebody who follows it to the letter?"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from infra.backend import Endpoints
from tests.conftest import SERVERS_VARIABLE
from tests.howto.checkout import copy_checkout
from tests.howto.pages import ROOT, Block, blocks

PAGE = ROOT / "docs" / "howto" / "add-a-held-thing.md"
FILES_AT_MOST = 4

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]


def _run(checkout: Path, argv: list[str], **more: str) -> str:
    environment = {name: text for name, text in os.environ.items() if name != "HITOTSU_HOME"}
    environment |= {"PYTHONPATH": str(checkout), **more}
    done = subprocess.run(argv, cwd=checkout, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def files() -> list[Block]:
    """The page's files."""
    return [block for block in blocks(PAGE) if block.kind == "file"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, files: list[Block]) -> Path:
    """A copy of this checkout, with the page's files written into it."""
    copy = tmp_path_factory.mktemp("checkout") / "hitotsu"
    copy_checkout(copy)
    for block in files:
        path = copy / str(block.file)
        assert not path.exists(), f"{block.file} is a new file"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, "utf-8")
    return copy


def test_it_takes_few_files(files: list[Block]) -> None:
    written = [str(block.file) for block in files]
    assert len([name for name in written if not name.startswith("tests/")]) < FILES_AT_MOST
    migration = next(name for name in written if name.startswith("services/state/migrations/"))
    newest = max((ROOT / "services/state/migrations").glob("*.sql")).name
    assert int(Path(migration).name[:4]) == int(newest[:4]) + 1, "it has the next number"


def test_its_commands_end_well(checkout: Path, servers: Endpoints) -> None:
    more = {SERVERS_VARIABLE: json.dumps(asdict(servers))}
    (commands,) = (block for block in blocks(PAGE) if block.kind == "sh")
    printed = []
    for line in commands.text.splitlines():
        command, *words = shlex.split(line)
        assert command == "python"
        printed.append(_run(checkout, [sys.executable, *words], **more))
    assert "6 passed" in printed[0], "its own test, and each test of what is held"
    tables = (checkout / "docs/reference/tables.md").read_text("utf-8")
    assert "| `coupon_hold` | yes | uses of coupons that are promised" in tables


def test_the_checkout_s_rules_hold_with_it(checkout: Path, files: list[Block]) -> None:
    written = [str(block.file) for block in files if str(block.file).endswith(".py")]
    _run(checkout, [sys.executable, "-m", "ruff", "check", *written])
    _run(checkout, [sys.executable, "-m", "ruff", "format", "--check", *written])
    cache = ["--cache-dir", str(ROOT / ".mypy_cache")]  # all other files are those of the checkout
    _run(checkout, [sys.executable, "-m", "mypy", "--strict", *cache, "projections/coupons"])
