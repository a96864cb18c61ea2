"""What `verify` and `rebuild --rejudge` say of verdicts, to people and to programs."""

from __future__ import annotations

import pytest

from services.cli.rebuild import _show as show_rebuild
from services.cli.verify import _show as show_verification
from services.rebuild.run import RebuildReport as Rebuilt
from services.rebuild.run import VerdictChanges
from services.verify.report import Difference, VerifyReport

PLACE, EVENT = "commerce.points-3@17", "00000000-0000-0000-0000-00000000000a"


def test_verify_names_place_and_id_and_what_mends_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = VerifyReport(["point_balance"])
    report.add(Difference("engine", "verdict", (PLACE, EVENT), "applied", "conflict"))
    show_verification(report)
    out = " ".join(capsys.readouterr().out.split())
    assert f"engine: verdict {PLACE} | {EVENT}" in out
    assert "1 records have a wrong verdict" in out
    assert "`hitotsu rebuild --rejudge`" in out
    assert report.plain()["mended_by"] == "hitotsu rebuild --rejudge"


def test_a_row_that_was_changed_by_hand_needs_no_new_verdicts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = VerifyReport(["point_balance"])
    report.add(Difference("postgres", "point_entry", ("a",), {"points": 1}, {"points": 2}))
    show_verification(report)
    assert "--rejudge" not in capsys.readouterr().out
    assert report.plain()["mended_by"] is None


def test_a_rejudging_says_what_it_judged_otherwise(capsys: pytest.CaptureFixture[str]) -> None:
    moved = [{"event_id": EVENT, "applied": PLACE, "was": None}]
    changes = VerdictChanges(1, moved, letters_withdrawn=2, letters_added=3, holds_ended=4)
    show_rebuild(Rebuilt(["point_balance"], swapped=True, verdicts=changes))
    out = " ".join(capsys.readouterr().out.split())
    assert f"{EVENT}: now applied at {PLACE}, before not applied" in out
    assert "1 event ids with another verdict, 2 wrong dead letters withdrawn" in out
    assert "3 missing ones added, 4 holds ended" in out
