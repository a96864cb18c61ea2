"""Does the commit-msg hook hold the rule of CONTRIBUTING.md?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HOOK = Path(__file__).resolve().parents[1] / ".ci" / "commit-msg"
BODY = "\n\nThe index was read twice.\n"


def refused(folder: Path, message: str) -> str:
    file = folder / "message"
    file.write_text(message, "utf-8")
    done = subprocess.run([sys.executable, str(HOOK), str(file)], capture_output=True, text=True)
    assert (done.returncode != 0) == bool(done.stderr)
    return done.stderr


@pytest.mark.parametrize(
    "subject", ["Read the index once", "Pass the token on", "Refuse a till without a store"]
)
def test_an_imperative_subject_with_a_body_is_taken(tmp_path: Path, subject: str) -> None:
    assert refused(tmp_path, subject + BODY) == ""
    assert refused(tmp_path, "# a comment\n" + subject + BODY + "# another\n") == ""


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("Read the index once", "the body is missing"),
        ("Read the index once\nIt was read twice.", "an empty line"),
        ("Readers read the index once" + BODY, "begin with an imperative"),
        ("The index is read once" + BODY, "begin with an imperative"),
        ("Reading the index once" + BODY, "begin with an imperative"),
        ("read the index once" + BODY, "begin with an imperative"),
        ("Read the index once." + BODY, "one thought"),
        ("Read the index once; forget it" + BODY, "one thought"),
        ("Read the index once " + "again " * 12 + BODY, "72 are allowed"),
        ("\n# nothing but a comment\n", "empty"),
    ],
)
def test_what_breaks_the_rule_is_refused_with_the_reason(
    tmp_path: Path, message: str, why: str
) -> None:
    assert why in refused(tmp_path, message)


def test_what_git_writes_itself_is_taken(tmp_path: Path) -> None:
    assert refused(tmp_path, "Merge branch 'a' into b") == ""
    assert refused(tmp_path, 'Revert "Read the index once"\n\nThis reverts commit 1.') == ""
