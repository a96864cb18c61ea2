"""Does docs/howto/add-a-projection.md work for somebody who follows it to the letter?"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.home import CACHE_VARIABLE, Home
from schemas.generated.inputs import example

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "howto" / "add-a-projection.md"
FILES = re.compile(r"^`(?P<path>[\w/.]+)`:\n\n```python\n(?P<text>.*?)^```$", re.M | re.S)
COMMANDS = re.compile(r"^```sh\n(?P<command>.*?)\n```$", re.M | re.S)

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]


def _commands() -> tuple[list[str], list[str]]:
    """The page's two commands: its test, and how the stack is started."""
    told = [shlex.split(found["command"]) for found in COMMANDS.finditer(PAGE.read_text("utf-8"))]
    (_, *test), (_, *start) = told
    return [sys.executable, *test], [sys.executable, *start]


def _run(checkout: Path, argv: list[str], **more: str) -> str:
    environment = {name: text for name, text in os.environ.items() if name != "HITOTSU_HOME"}
    environment |= {"PYTHONPATH": str(checkout), **more}
    done = subprocess.run(argv, cwd=checkout, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _git(checkout: Path, *argv: str) -> str:
    return _run(checkout, ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", *argv])


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout, with the page's files written into it."""
    copy = tmp_path_factory.mktemp("checkout") / "hitotsu"
    listed = _git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    _git(copy, "init", "--quiet")
    _git(copy, "add", "--all")
    _git(copy, "commit", "--quiet", "--message", "as it was")
    for found in FILES.finditer(PAGE.read_text("utf-8")):
        path = copy / found["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found["text"], "utf-8")
    return copy


@pytest.fixture(scope="module")
def status(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The copy's stack, started as the page says."""
    home = str(tmp_path_factory.mktemp("home"))
    more = {CACHE_VARIABLE: str(Home().cache)}
    _, start = _commands()
    verbs = start[:-1]
    try:
        _run(checkout, [*start, "--home", home, "--no-registry"], **more)
        yield json.loads(_run(checkout, [*verbs, "status", "--json", "--home", home], **more))
    finally:
        _run(checkout, [*verbs, "down", "--purge", "--home", home], **more)


def test_one_folder_and_one_test_are_all_that_is_new(checkout: Path) -> None:
    changed = _git(checkout, "status", "--porcelain", "--untracked-files=all").splitlines()
    assert sorted(changed) == [
        "?? projections/best_sellers/__init__.py",
        "?? projections/best_sellers/queries.py",
        "?? tests/projections/test_best_sellers.py",
    ]


def test_the_page_s_own_test_passes(checkout: Path) -> None:
    test, _ = _commands()
    assert "1 passed" in _run(checkout, test)


def test_the_new_question_is_answered(status: dict[str, Any]) -> None:
    event = example("PurchaseCompleted")
    services, tokens = status["services"], status["tokens"]
    with httpx.Client(trust_env=False, timeout=30) as http:
        sent = http.post(
            f"{services['gateway']['url']}/v1/events",
            json=[event],
            headers={"Authorization": f"Bearer {tokens['till']}"},
        )
        assert sent.status_code == 202, sent.text
        answer = http.get(
            f"{services['api']['url']}/v1/best-sellers",
            params={"channel": "STORE", "min_position": f"event:{event['meta']['event_id']}"},
            headers={"Authorization": f"Bearer {tokens['app']}"},
        )
        described = http.get(f"{services['api']['url']}/openapi.json").json()
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] == [{"sku": "4901234567894", "units": 1}]
    assert "get" in described["paths"]["/v1/best-sellers"]


def test_the_checkout_s_rules_hold_with_it(checkout: Path) -> None:
    files = [found["path"] for found in FILES.finditer(PAGE.read_text("utf-8"))]
    _run(checkout, [sys.executable, "-m", "ruff", "check", *files])
    _run(checkout, [sys.executable, "-m", "ruff", "format", "--check", *files])
    _run(checkout, [sys.executable, "-m", "mypy", "--strict", "projections/best_sellers"])
