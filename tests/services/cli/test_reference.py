"""Do the pages of docs/reference/ say what the code declares?"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

from schemas.rights import ROLES, Role
from services.cli import reference
from services.runtime.tokens import SCOPES

ROOT = Path(__file__).resolve().parents[3]


def test_the_repository_s_pages_are_up_to_date() -> None:
    assert reference.stale() == []


def test_the_pages_do_not_depend_on_what_was_imported_before() -> None:
    command = [sys.executable, "-m", "services.cli.reference", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_that_was_edited_or_is_left_over_is_stale_and_written_again(tmp_path: Path) -> None:
    assert reference.stale(tmp_path) == sorted(reference.pages())
    reference.write(tmp_path)
    page = tmp_path / "scopes.md"
    page.write_text(page.read_text("utf-8") + "mine\n", "utf-8")
    (tmp_path / "gone.md").write_text("", "utf-8")
    assert reference.stale(tmp_path) == ["gone.md", "scopes.md"]
    assert reference.write(tmp_path) == ["gone.md", "scopes.md"]
    assert reference.stale(tmp_path) == []


def test_everything_that_is_listed_is_explained() -> None:
    empty = {
        name: rows
        for name, text in reference.pages().items()
        if (rows := re.findall(r"^\| .*\|\s+\|$", text, re.M))
    }
    assert empty == {}


def test_every_page_lists_what_it_is_about() -> None:
    pages = reference.pages()
    assert all(f"`{scope}`" in pages["scopes.md"] for scope in SCOPES)
    assert "`HITOTSU_KEY_ENCRYPTION_KEY` | required" in pages["settings.md"]
    assert "## hitotsu dead-letters retry" in pages["cli.md"]
    assert "`PurchaseCompleted` | till, ec, operations" in pages["events.md"]
    assert "`hitotsu_gateway_accepted_events` | counter | type" in pages["metrics.md"]
    assert "`out-of-stock`" in pages["problems.md"]


def test_the_roles_that_types_know_are_the_declared_ones() -> None:
    assert set(get_args(Role)) == ROLES.keys()
    assert all(f"`{role}`" in reference.pages()["scopes.md"] for role in ROLES)
