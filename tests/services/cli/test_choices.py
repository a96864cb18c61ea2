"""Options that are one of a few words refuse others and name them; erasing asks."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path
from typing import get_args
from uuid import uuid4

import pytest

from infra.backend import PROVIDERS
from infra.home import Home
from infra.stack import ROOT
from services.cli import dead_letters, stack
from services.state.migrate import FOLDER
from tests.forks import run

KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
GOES_ON = "HITOTSU_KEY_ENCRYPTION_KEY: "  # left out below: settings are read when nobody is asked
NOWHERE = {
    "HITOTSU_POSTGRES": "postgresql://postgres@127.0.0.1:1/hitotsu?connect_timeout=1",
    "HITOTSU_KAFKA": "127.0.0.1:1",
    "HITOTSU_REDIS": "redis://127.0.0.1:1/0",
    **dict.fromkeys(("HITOTSU_BLIND_INDEX_KEY", "HITOTSU_GATEWAY_PRIVATE_KEY"), KEY),
}
ID = "6f1d2a34-0b7c-4d5e-8f90-a1b2c3d4e5f6"


def hitotsu(
    *words: str, stdin: int | None = None, folder: Path = ROOT, **more: str
) -> subprocess.CompletedProcess[str]:
    env = {name: text for name, text in os.environ.items() if not name.startswith("HITOTSU_")}
    env |= {**NOWHERE, "PYTHONPATH": str(ROOT), "COLUMNS": "300", "TERM": "dumb", **more}
    return run("services.cli", *words, env=env, cwd=folder, stdin=stdin)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("dead-letters", "list", "--status", "opne"), ("open", "retried", "dropped", "all")),
        (("dead-letters", "list", "--stage", "aply"), ("decode", "conflict", "apply", "store")),
        (("dead-letters", "list", "--topic", "commerce.purchase"), ("commerce.purchases",)),
        (("up", "--provider", "podman"), ("auto", "external", "docker", "native")),
        (("doctor", "--provider", "podman"), ("auto", "external", "docker", "native")),
        (("demo", "--provider", "podman"), ("auto", "external", "docker", "native")),
        (("tail", "commerce.purchases", "--from", "start"), ("beginning", "end")),
        (("tail", "commerce.purchase"), ("commerce.purchases",)),
        (("rebuild", "terminal_gap"), ("terminal_gaps",)),
        (("verify", "terminal_gap"), ("terminal_gaps",)),
        (("example", "PurchaseComplete"), ("PurchaseCompleted",)),
    ],
)
def test_a_word_that_is_none_of_a_few_is_refused_with_those(
    words: tuple[str, ...], named: tuple[str, ...], tmp_path: Path
) -> None:
    done = hitotsu(*words, folder=tmp_path, HITOTSU_KEY_ENCRYPTION_KEY=KEY)
    assert done.returncode != 0
    assert words[-1] in done.stderr
    assert [name for name in named if name not in done.stderr] == []
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_choices_are_those_that_exist() -> None:
    declared = re.search(r"status in \(([^)]*)\)", (FOLDER / "0001_engine.sql").read_text("utf-8"))
    assert declared is not None
    statuses = set(re.findall(r"'(\w+)'", declared[1]))
    assert set(get_args(dead_letters.Status)) == statuses | {"all"}
    assert set(get_args(stack.Provider)) == {"auto", *PROVIDERS}


def test_erasing_where_nobody_can_be_asked_is_refused_and_says_why() -> None:
    done = hitotsu("erase", ID)
    assert done.returncode == 2
    assert "Nothing was erased" in done.stderr and "--yes" in done.stderr
    assert ID not in done.stderr


def test_ids_from_a_pipe_are_refused_too(tmp_path: Path) -> None:
    ids = tmp_path / "ids"
    ids.write_text(f"{ID}\n{uuid4()}\n", "utf-8")
    with ids.open() as file:
        done = hitotsu("erase", "--file", "-", stdin=file.fileno())
    assert done.returncode == 2
    assert "Nothing was erased" in done.stderr


@pytest.mark.parametrize(
    ("ids", "typed", "goes_on"),
    [
        ((ID,), ID, True),
        ((ID,), ID.upper(), True),
        ((ID,), "y", False),
        ((ID,), "", False),
        ((ID, "7a1d2a34-0b7c-4d5e-8f90-a1b2c3d4e5f6"), "2", True),
        ((ID, str(uuid4())), ID, False),
    ],
)
def test_erasing_goes_on_when_what_it_asks_for_is_typed(
    ids: tuple[str, ...], typed: str, goes_on: bool
) -> None:
    terminal, end = pty.openpty()
    try:
        os.write(terminal, f"{typed}\n".encode())
        done = hitotsu("erase", *ids, stdin=end)
    finally:
        os.close(terminal)
        os.close(end)
    assert done.returncode == (1 if goes_on else 2)
    assert "for ever" in done.stderr
    assert (GOES_ON in done.stderr) is goes_on
    assert ("Nothing was erased" in done.stderr) is not goes_on


@pytest.mark.parametrize("option", ["--yes", "--dry-run"])
def test_nobody_is_asked_when_it_was_decided_elsewhere_or_nothing_is_done(option: str) -> None:
    done = hitotsu("erase", ID, option)
    assert done.returncode == 1
    assert GOES_ON in done.stderr


def test_a_scale_that_does_not_exist_is_refused_before_another_command_is_waited_for(
    tmp_path: Path,
) -> None:
    with Home(tmp_path / "home").locked(command="hitotsu up"):
        done = hitotsu("demo", "--scale", "7", "--home", str(tmp_path / "home"))
    assert done.returncode == 2
    assert "scale: must be from" in done.stderr
    assert "waiting" not in done.stdout


def test_the_demo_says_at_once_whose_token_was_revoked(tmp_path: Path) -> None:
    stack_home = Home(tmp_path / "stack").open()
    stack_home.write("tokens", {"till": "", "ec": "hitotsu_abc", "warehouse": ""})
    done = hitotsu("demo", "--home", str(stack_home.path), folder=tmp_path)
    assert done.returncode == 2
    said = "token {0} was revoked, or has other scopes: `hitotsu tokens create {0}`"
    lines = [said.format(name) for name in ("till", "warehouse")]
    assert done.stderr.strip().splitlines() == [f"hitotsu demo: {lines[0]}", lines[1]]
    assert not (tmp_path / "var").exists()  # nothing was generated or started


@pytest.mark.parametrize("words", [("prepare",), ("identity", "cases")])
def test_postgres_that_does_not_answer_is_said_in_a_line(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    keys = dict.fromkeys(("KEY_ENCRYPTION_KEY", "BLIND_INDEX_KEY", "GATEWAY_PRIVATE_KEY"), KEY)
    done = hitotsu(
        *words, folder=tmp_path, **{f"HITOTSU_{name}": key for name, key in keys.items()}
    )
    assert done.returncode == 1
    assert "hitotsu: Postgres: " in done.stderr
    assert "Traceback" not in done.stderr
