"""Does `hitotsu status` say of every folder what is in it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.cli.stack import show

NOTHING: dict[str, Any] = {"provider": "native", "services": {}, "tokens": {}}


def said(home: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> str:
    entry = {"url": "postgresql://localhost/hitotsu", "pid": 1, "log": "", "data": str(data)}
    show({**NOTHING, "home": str(home), "servers": {"postgres": entry}})
    return capsys.readouterr().out


def test_data_in_the_home_is_said_to_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(Path("/srv/home"), Path("/srv/home/postgres"), capsys)
    assert "logs, data and secrets below /srv/home" in text
    assert "data of postgres" not in text


def test_data_outside_is_not_said_to_be_in_the_home(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(Path("/srv/home"), Path("/srv/outside/data"), capsys)
    assert "logs, data (but the data of postgres) and secrets below /srv/home" in text
    assert "data of postgres in /srv/outside/data" in text
