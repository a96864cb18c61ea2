"""Do the numbered steps of docs/howto/evolve-a-schema.md work in a copy of the checkout?"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.howto.pages import ROOT

PAGE = ROOT / "docs" / "howto" / "evolve-a-schema.md"
# `apply` needs a registry, and `dead-letters` a record of a producer that is newer than a projector
COMMANDS = re.compile(r"`((?:python -m schemas\.tools|hitotsu schema (?:check|release))[^`]*)`")
FIELD = {"name": "dock", "type": ["null", "int"], "default": None, "doc": "Number of the dock."}

pytestmark = pytest.mark.timeout(180)


def test_a_field_with_a_default_is_released_as_the_page_says(tmp_path: Path) -> None:
    for name in ("schemas", "services", "projections", "infra"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    contract = tmp_path / "schemas" / "contracts" / "inventory" / "stock_received.avsc"
    declared = json.loads(contract.read_text("utf-8"))
    declared["fields"].append(FIELD)
    contract.write_text(json.dumps(declared, ensure_ascii=False, indent=2), "utf-8")
    commands = COMMANDS.findall(PAGE.read_text("utf-8"))
    assert [shlex.split(command)[-1] for command in commands] == [
        "schemas.tools.generate", "release", "check",
    ]  # fmt: skip
    unreleased = _run(tmp_path, commands[0])
    assert "StockReceived differs from its newest release" in unreleased
    assert "StockReceived v" in _run(tmp_path, commands[1])
    _run(tmp_path, commands[2])
    assert "dock" in (tmp_path / "schemas" / "generated" / "events" / "inventory.py").read_text(
        "utf-8"
    )


def _run(checkout: Path, command: str, status: int = 0) -> str:
    argv = shlex.split(command.replace("hitotsu ", "python -m services.cli ", 1))
    done = subprocess.run(
        [sys.executable, *argv[1:]],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
