"""The private folder: rights, secrets, ports, the lock, whole files."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from base64 import b64decode
from pathlib import Path

import pytest

from infra.home import Home, HomeBusy, is_free


def mode(home: Home, name: str = "") -> int:
    return stat.S_IMODE((home.path / name).stat().st_mode)


def test_nobody_else_may_look_into_the_folder(home: Home) -> None:
    home.path.chmod(0o755)
    home.open()
    assert mode(home) == 0o700
    home.secrets()
    assert mode(home, "secrets.json") == 0o600


def test_secrets_are_made_once_and_stay(home: Home) -> None:
    first = home.secrets()
    assert home.secrets() == first == Home(home.path).secrets()
    assert len(b64decode(first["key_encryption_key"])) == 32
    assert len(set(first.values())) == len(first)


def test_a_server_gets_the_port_it_had_last_time(home: Home) -> None:
    first = home.port("kafka")
    assert Home(home.path).port("kafka") == first
    assert home.port("postgres") != first


def test_a_port_that_somebody_took_meanwhile_is_replaced(home: Home) -> None:
    first = home.port("kafka")
    with socket.socket() as other:
        other.bind(("127.0.0.1", first))
        other.listen()
        assert not is_free(first)
        assert home.port("kafka") != first


def test_two_commands_in_one_folder_take_turns(home: Home) -> None:
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with home.locked(command="hitotsu demo"), home.locked(0.0):  # it may take it again
            inside.set()
            leave.wait(10)

    holder = threading.Thread(target=first)
    holder.start()
    assert inside.wait(10)
    told: list[str] = []
    with (
        pytest.raises(HomeBusy, match=rf"hitotsu demo \(process {os.getpid()}\) is working"),
        Home(home.path).locked(0.2, waiting_for=told.append),
    ):
        pass
    assert told == [f"hitotsu demo (process {os.getpid()})"]
    leave.set()
    holder.join()
    with Home(home.path).locked(1.0):
        pass


def test_half_a_file_is_never_seen_and_a_broken_one_counts_as_none(home: Home) -> None:
    home.write("state", {"provider": "native"})
    assert json.loads((home.path / "state.json").read_text()) == {"provider": "native"}
    (home.path / "state.json").write_text('{"provider": "nat')
    assert home.read("state") == {}
    assert [path.name for path in home.path.glob(".state*")] == []


def test_purging_removes_data_and_secrets_but_not_what_was_downloaded(home: Home) -> None:
    home.secrets()
    (home.path / "postgres").mkdir()
    (home.cache / "kafka.verified").touch()
    home.purge()
    assert sorted(path.name for path in home.path.iterdir()) == ["cache"]
    assert (home.cache / "kafka.verified").exists()


def test_a_purge_removes_links_and_not_what_they_lead_to(home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other-disk"
    elsewhere.mkdir()
    (elsewhere / "somebody-else's").write_text("kept", "utf-8")
    home.logs.rmdir()
    home.logs.symlink_to(elsewhere)
    (home.path / "dangling").symlink_to(tmp_path / "nowhere")
    (home.path / "kafka").mkdir()
    home.secrets()
    home.purge()
    assert {child.name for child in home.path.iterdir()} <= {"cache", "lock"}
    assert (elsewhere / "somebody-else's").exists()


def test_a_folder_that_cannot_be_removed_keeps_no_secret(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.secrets()

    def refused(folder: Path) -> None:
        raise OSError(f"{folder} is busy")

    monkeypatch.setattr("infra.home.shutil.rmtree", refused)
    with pytest.raises(OSError, match="busy"):
        home.purge()
    assert not (home.path / "secrets.json").exists()
