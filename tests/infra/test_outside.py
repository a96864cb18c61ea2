"""Is the folder outside made once, finished after a crash, and never replaced when it is gone?"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.backend import ProviderError
from infra.closed_home import PLACE_VARIABLE, Outside
from infra.home import Home
from infra.native import server_user
from infra.process import StartError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that every user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="hitotsu-outside-"))
    folder.chmod(0o755)
    monkeypatch.setenv(PLACE_VARIABLE, str(folder))
    yield folder
    shutil.rmtree(folder)


def test_a_folder_that_is_gone_is_named_and_never_replaced(home: Home, place: Path) -> None:
    folder = Outside(home).make(server_user.other_user())
    recorded = home.read("outside")
    elsewhere = place / "taken-away"
    folder.rename(elsewhere)
    with pytest.raises(ProviderError, match=f"{folder} is missing: restore it"):
        Outside(home).make(server_user.other_user())
    assert home.read("outside") == recorded
    elsewhere.rename(folder)
    assert Outside(home).make(server_user.other_user()) == folder


def test_a_purge_begins_anew_after_the_folder_is_gone(home: Home) -> None:
    folder = Outside(home).make(server_user.other_user())
    folder.rmdir()
    Outside(home).remove()
    assert Outside(home).make(server_user.other_user()) != folder


def test_a_folder_recorded_before_it_was_noted_as_whole_is_kept(home: Home) -> None:
    folder = Outside(home).make(server_user.other_user())
    home.write("outside", {"folder": str(folder)})
    assert Outside(home).make(server_user.other_user()) == folder
    folder.rmdir()
    with pytest.raises(ProviderError, match="is missing"):
        Outside(home).make(server_user.other_user())


@pytest.mark.parametrize("step", ["mkdir", "chown"])
def test_a_crash_while_the_folder_is_made_is_made_good(
    home: Home, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    user = server_user.other_user()

    def killed(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if step == "chown":
            patch.setattr(os, "chown", killed)
        else:
            patch.setattr(Outside, "_note", killed)
        with pytest.raises(KeyboardInterrupt):
            Outside(home).make(user)
    folder = Outside(home).make(user)
    assert folder.stat().st_uid == user.uid
    server_user.write(user, folder / "password", "secret")


def test_what_a_user_cannot_write_is_said_with_the_reason(place: Path) -> None:
    place.chmod(0o755)
    with pytest.raises(StartError, match=r"cannot write .*[Pp]ermission denied"):
        server_user.write(server_user.other_user(), place / "file", "text")
