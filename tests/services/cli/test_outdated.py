"""Are services that go on with older code or other settings named?"""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest

from infra.process import Recorded
from infra.stack import Stack
from services.cli import stale_services


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """One service is recorded as running: this process."""
    own = Stack(tmp_path / "home", "native")
    own.home.open()
    entry = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    own.home.write("services", {"services": {"gateway": entry, "api": {"pid": None}}})
    return own


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module written long before the services started."""
    module = tmp_path / "code" / "services" / "module.py"
    module.parent.mkdir(parents=True)
    module.touch()
    os.utime(module, (1, 1))
    monkeypatch.setattr(stale_services, "ROOT", tmp_path / "code")
    return module


def test_nothing_is_said_when_code_and_settings_are_those_of_now(stack: Stack) -> None:
    stale_services.remember(stack, {"HITOTSU_ACCRUAL": "rules"})
    before = stale_services.running(stack)
    assert set(before) == {"gateway"}
    assert stale_services.notices(stack, {"HITOTSU_ACCRUAL": "rules"}, before) == []


def test_a_module_written_after_the_start_is_said(stack: Stack, code: Path) -> None:
    now = time.time() + 5
    os.utime(code, (now, now))
    (said,) = stale_services.notices(stack, {}, stale_services.running(stack))
    assert "older code than now: gateway" in said
    assert "hitotsu down" in said


def test_settings_that_changed_are_said_until_the_services_start_again(stack: Stack) -> None:
    stale_services.remember(stack, {})
    changed = {"HITOTSU_ACCRUAL": "rules", "HITOTSU_PORT": "7"}
    before = stale_services.running(stack)
    for _ in range(2):
        (said,) = stale_services.notices(stack, changed, before)
        assert "other settings than now: gateway" in said
    assert stale_services.notices(stack, {"HITOTSU_PORT": "7"}, before) == [], (
        "a port is each one's own"
    )
    another = {"gateway": Recorded(os.getpid(), 1.0)}  # all were started again by this `up`
    assert stale_services.notices(stack, changed, another) == []
    assert stale_services.notices(stack, changed, before) == []


def test_no_key_is_kept(stack: Stack) -> None:
    stale_services.remember(stack, {"HITOTSU_BLIND_INDEX_KEY": "very secret"})
    assert "very secret" not in (stack.home.path / "settings.json").read_text("utf-8")
