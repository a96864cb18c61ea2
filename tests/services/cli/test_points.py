"""Does `hitotsu points rejudge` refuse, clearly, dates since which nothing can be judged?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.services.cli.test_choices import KEY, hitotsu

KEYS = {"HITOTSU_KEY_ENCRYPTION_KEY": KEY}
RULES = {"HITOTSU_ACCRUAL": "rules", **KEYS}
TOMORROW = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ("2026-13-01", "'2026-13-01' is no date: write YYYY-MM-DD"),
        ("yesterday", "'yesterday' is no date: write YYYY-MM-DD"),
        ("2026-04-01T10:00", "'2026-04-01T10:00' names no time zone"),
        (TOMORROW, f"'{TOMORROW}' lies ahead: no sale was made since then"),
        ("2999-01-01T00:00:00Z", "'2999-01-01T00:00:00Z' lies ahead"),
    ],
)
def test_a_wrong_date_is_refused_by_name(since: str, said: str) -> None:
    for more in ([], ["--dry-run"]):
        done = hitotsu("points", "rejudge", "--since", since, *more, **RULES)
        text = " ".join((done.stdout + done.stderr).replace("│", " ").split())
        assert (done.returncode, said in text) == (2, True), text
        assert "--since" in text


def test_without_a_date_or_without_postgres_it_says_so() -> None:
    done = hitotsu("points", "rejudge", **RULES)
    assert done.returncode == 2
    assert "--since" in done.stdout + done.stderr
    done = hitotsu("points", "rejudge", "--since", "2026-04-01", **RULES)
    assert done.returncode == 1
    assert done.stderr.startswith("Postgres: ") or "Postgres: " in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ('{"earn": [{"points": 1, "per": 0}]}', "earn.0.per: "),
        ('{"currency": "ZZZ"}', "currency: "),
        ("{", "rules: not JSON"),
    ],
)
def test_rules_that_cannot_be_read_are_not_tried(tmp_path: Path, rules: str, said: str) -> None:
    file = tmp_path / "r"
    file.write_text(rules)
    done = hitotsu("points", "rules", "try", str(file), "--since", "2026-04-01", **RULES)
    text = " ".join((done.stdout + done.stderr).replace("│", " ").split())
    assert (done.returncode, said in text) == (2, True), text
    missing = hitotsu("points", "rules", "try", str(file) + "x", "--since", "2026-04-01", **RULES)
    assert missing.returncode == 2
