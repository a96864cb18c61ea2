"""Can what an erasure's receipt says be copied, whatever the terminal is, or a pipe?"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.cli import erase
from services.runtime.erasure import ErasedProfile

NOW = datetime(2026, 11, 30, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("columns", ["20", "80", "300"])
def test_ids_and_places_are_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = [
        ErasedProfile(
            uuid4(), uuid4(), uuid4(), NOW, None, None, "commerce.members", 11, 12_345_678_901,
            NOW, 3, NOW,
        )
        for _ in range(2)
    ]  # fmt: skip
    erase._print(lines, dry_run=False, as_json=False)
    said = capsys.readouterr().out
    for line in lines:
        assert str(line.profile_id) in said
        assert str(line.member_id) in said
    assert said.count("commerce.members-11 @ 12345678901") == 2
    assert said.count("2026-11-30 03:04:05") == 4
    assert erase.REMAINS in said
