"""A data folder outside the home folder, for a server that runs as a user who cannot enter it.

When root starts Postgres, Postgres runs as another user. If that user cannot reach the home or the
programs, Postgres' data goes into a private folder below /var/lib, /var/db or /var/tmp (only below
`HITOTSU_OUTSIDE` if it is set). The home records that folder, and a file beside the folder names
the home. So a moved home keeps its folder, and a copied home does not use that of the original.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from infra.backend import ProviderError
from infra.home import Home, replace
from infra.native.server_user import User, reaches
from infra.variables import variable

PLACE_VARIABLE = "HITOTSU_OUTSIDE"
PLACES = ("/var/lib", "/var/db", "/var/tmp")
PARENT = "hitotsu"
RECORD = "outside"
MADE = "made"


class Outside:
    """The data folder of one home outside that home; `make` creates it."""

    def __init__(self, home: Home) -> None:
        self.home = home

    @property
    def path(self) -> Path | None:
        """The outside folder that the home has recorded; None when it has none."""
        recorded = self.home.read(RECORD).get("folder")
        return Path(recorded) if isinstance(recorded, str) else None

    def make(self, user: User) -> Path:
        """Creates or reopens the folder, which only root and that user can enter; returns it.

        Raises ProviderError when it belongs to another home, when no parent for it can be made, and
        when it was complete once and is missing: an empty replacement would hide that all rows and
        subject keys are lost.

        Its parent belongs to root. Root builds new content there and renames it into the folder, so
        that root never follows a link planted by that user.
        """
        known = self.path
        if known is not None and known.is_dir():
            self._claim(known)
            if known.stat().st_uid == 0:  # killed before the folder got its owner
                os.chown(known, user.uid, user.gid)
            self._record(known, made=True)
            return known
        if known is not None and self.home.read(RECORD).get(MADE):
            raise ProviderError(
                f"the data recorded in {known} is missing: restore it, or "
                f"`hitotsu down --purge --home {self.home.path}` to start again without it"
            )
        while True:
            folder = _parent(user) / f"{self.home.path.name}-{secrets.token_hex(6)}"
            self._record(folder, made=False)
            try:
                self._note(folder)
                folder.mkdir(mode=0o700)
            except FileNotFoundError:
                continue  # the parent was removed just now by the purge of another stack
            os.chown(folder, user.uid, user.gid)
            self._record(folder, made=True)
            return folder

    def beside(self, name: str) -> Path:
        """A path beside the folder: content is built there, and renamed into the folder."""
        folder = self.path
        assert folder is not None, "the folder is made first"
        return folder.with_name(f".{folder.name}.{name}")

    def remove(self) -> None:
        """Removes the folder and its content, unless it belongs to another home."""
        folder = self.path
        if folder is None or self._other_home(folder) is not None:
            return
        for path in (folder, *folder.parent.glob(f".{folder.name}.*")):
            if path.is_dir():
                shutil.rmtree(path)
        _note_of(folder).unlink(missing_ok=True)
        with suppress(OSError):
            folder.parent.rmdir()  # removes the parent if no other stack uses it
        self.home.forget(RECORD)

    def _record(self, folder: Path, *, made: bool) -> None:
        """Records the folder; `made`: whether it is complete and belongs to its user."""
        content = {"folder": str(folder), MADE: made}
        if self.home.read(RECORD) != content:
            self.home.write(RECORD, content)

    def _claim(self, folder: Path) -> None:
        other = self._other_home(folder)
        if other is not None:
            raise ProviderError(
                f"the data in {folder} belongs to the stack in {other}, of which "
                f"{self.home.path} is a copy: `hitotsu down --purge --home {self.home.path}` "
                "removes this copy only, so that it can start without data"
            )
        self._note(folder)

    def _other_home(self, folder: Path) -> Path | None:
        """The path of another home that uses the folder; None when there is none."""
        try:
            noted = Path(json.loads(_note_of(folder).read_text("utf-8"))["home"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if noted == self.home.path or Outside(Home(noted)).path != folder:
            return None
        return noted

    def _note(self, folder: Path) -> None:
        replace(_note_of(folder), {"home": str(self.home.path)})


def _note_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def _parent(user: User) -> Path:
    """A folder `hitotsu` that root owns and the user can enter, in the first place that allows it.

    The default places survive a reboot. Raises ProviderError when no place allows it.
    """
    chosen = variable(PLACE_VARIABLE)
    places = (chosen,) if chosen else PLACES
    for folder in map(Path, places):
        parent = folder / PARENT
        with suppress(OSError):
            if not os.path.lexists(parent):
                parent.mkdir()
                parent.chmod(0o711)
            entry = parent.lstat()
            if stat.S_ISDIR(entry.st_mode) and entry.st_uid == 0 and reaches(user, parent):
                return parent
    raise ProviderError(
        f"Postgres runs as `{user.name}` when root starts it, and no folder that this user can "
        f"reach could be made in {', '.join(places)}: set {PLACE_VARIABLE} to one that it can reach"
    )
