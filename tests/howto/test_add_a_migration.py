"""Does docs/howto/add-a-migration.md work for somebody who follows it to the letter?"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.howto.test_add_a_projection import ROOT, checkout

__all__ = ["checkout"]

PAGE = ROOT / "docs" / "howto" / "add-a-migration.md"
FILES = re.compile(r"^`(?P<path>[\w/.]+)`:\n\n```sql\n(?P<text>.*?)^```$", re.M | re.S)
SHELL = re.compile(r"^```sh\n(?P<lines>.*?)^```$", re.M | re.S)
PYTHON = ".venv/bin/python"

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]


def test_its_file_passes_the_tests_and_is_in_the_list_of_tables(checkout: Path) -> None:
    page = PAGE.read_text("utf-8")
    ((path, text),) = FILES.findall(page)
    number = Path(path).name[:4]
    newest = max((ROOT / path).parent.glob("*.sql")).name[:4]
    assert int(number) == int(newest) + 1, "the page's example has the next number"
    (checkout / path).write_text(text, "utf-8")
    for block in SHELL.findall(page):
        for line in block.splitlines():
            command, *words = shlex.split(line)
            assert command == PYTHON
            _run(checkout, [sys.executable, *words])
    tables = (checkout / "docs/reference/tables.md").read_text("utf-8")
    assert "| `till_note` | yes | what staff noted about a till |" in tables


def _run(checkout: Path, argv: list[str]) -> None:
    environment = {name: text for name, text in os.environ.items() if name != "HITOTSU_HOME"}
    environment["PYTHONPATH"] = str(checkout)
    done = subprocess.run(argv, cwd=checkout, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
