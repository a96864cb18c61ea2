"""Where do a server's files live when the home folder is closed to the user it runs as?

In a folder of its own below /var/lib (or where `HITOTSU_OUTSIDE` says), which that user can enter
and nobody else. The home records it, and beside it a note says whose it is: a home that was moved
takes its folder along, one that was copied does not get that of the first.
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

PLACE_VARIABLE = "HITOTSU_OUTSIDE"
PLACES = ("/var/lib", "/var/db", "/var/tmp")
PARENT = "hitotsu"
RECORD = "outside"
MADE = "made"


class Outside:
    """The folder outside of one home; there is none until it is made."""

    def __init__(self, home: Home) -> None:
        self.home = home

    @property
    def path(self) -> Path | None:
        """The folder that this home recorded."""
        recorded = self.home.read(RECORD).get("folder")
        return Path(recorded) if isinstance(recorded, str) else None

    def make(self, user: User) -> Path:
        """The folder, entered by that user alone.

        Raises ProviderError when it is another home's, and when it was whole once and is gone: an
        empty one in its place would hide that every row and subject key is lost.

        Its parent belongs to root: what root puts into the folder is made there and renamed, so
        that no link of that user is ever followed.
        """
        known = self.path
        if known is not None and known.is_dir():
            self._claim(known)
            if known.stat().st_uid == 0:  # killed before the folder was given away
                os.chown(known, user.uid, user.gid)
            self._record(known, made=True)
            return known
        if known is not None and self.home.read(RECORD).get(MADE):
            raise ProviderError(
                f"the data recorded in {known} is not there: bring it back, or "
                f"`hitotsu down --purge --home {self.home.path}` to begin anew without it"
            )
        while True:
            folder = _parent(user) / f"{self.home.path.name}-{secrets.token_hex(6)}"
            self._record(folder, made=False)
            try:
                self._note(folder)
                folder.mkdir(mode=0o700)
            except FileNotFoundError:
                continue  # another stack was the last one there, and is just being purged
            os.chown(folder, user.uid, user.gid)
            self._record(folder, made=True)
            return folder

    def beside(self, name: str) -> Path:
        """A path beside the folder, for what is renamed into it when it is whole."""
        folder = self.path
        assert folder is not None, "the folder is made first"
        return folder.with_name(f".{folder.name}.{name}")

    def remove(self) -> None:
        """Removes the folder with all that is in it, unless it is another home's."""
        folder = self.path
        if folder is None or self._other_home(folder) is not None:
            return
        for path in (folder, *folder.parent.glob(f".{folder.name}.*")):
            if path.is_dir():
                shutil.rmtree(path)
        _note_of(folder).unlink(missing_ok=True)
        with suppress(OSError):
            folder.parent.rmdir()  # the last one; others' stay
        self.home.forget(RECORD)

    def _record(self, folder: Path, *, made: bool) -> None:
        """Notes the folder, and whether it was whole once: made, and its user's own."""
        content = {"folder": str(folder), MADE: made}
        if self.home.read(RECORD) != content:
            self.home.write(RECORD, content)

    def _claim(self, folder: Path) -> None:
        other = self._other_home(folder)
        if other is not None:
            raise ProviderError(
                f"the data in {folder} belongs to the stack in {other}, of which "
                f"{self.home.path} is a copy: `hitotsu down --purge --home {self.home.path}` "
                "begins anew here and leaves that one alone"
            )
        self._note(folder)

    def _other_home(self, folder: Path) -> Path | None:
        """Another home that still uses the folder."""
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
    """A folder of root's that the user can pass, where data outlives a restart of the machine."""
    chosen = os.environ.get(PLACE_VARIABLE)
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
        f"reach could be made in {', '.join(places)}: set {PLACE_VARIABLE} to one that is open"
    )
