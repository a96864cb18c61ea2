"""Chooses the user who runs a server that refuses to run as root, and tests that user's access.

The child process changes its user between fork and exec, and keeps no group or capability of root.
So that user only needs access to the server's program and data.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.backend import ProviderError
from infra.process import StartError

CANDIDATES = ("postgres", "nobody")
SHELL = "/bin/sh"
TEST_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class User:
    """An unprivileged user of this machine."""

    name: str
    uid: int
    gid: int

    @property
    def rights(self) -> dict[str, Any]:
        """Arguments for `subprocess` that start a child as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def other_user() -> User:
    """The user who runs servers for root: `postgres` if it exists, else `nobody`.

    Raises ProviderError when neither exists.
    """
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(name, entry.pw_uid, entry.pw_gid)
    raise ProviderError(
        "Postgres refuses to run as root, and neither user `postgres` nor `nobody` exists:"
        " run this as another user"
    )


def owner_of(path: Path) -> User | None:
    """The owner of a file or folder; None for root or an unknown uid."""
    uid = path.stat().st_uid
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return None if uid == 0 else User(entry.pw_name, uid, entry.pw_gid)


def reaches(user: User, *paths: Path) -> bool:
    """Whether that user can read each path, or at least enter it if it is a folder.

    Tested in a process of that user: `os.access` would answer for root, and modes do not show ACLs.
    """
    test = 'for f; do test -r "$f" || { test -d "$f" && test -x "$f"; } || exit 1; done'
    done = subprocess.run(
        [SHELL, "-c", test, SHELL, *map(str, paths)],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=TEST_SECONDS,
        check=False,
        **user.rights,
    )
    return done.returncode == 0


def write(user: User, path: Path, text: str) -> None:
    """Appends text to a file as that user; a new file gets the mode 0600.

    Root itself does not write in another user's folder, because a link there could redirect the
    write. Raises StartError when that user cannot write the file.
    """
    done = subprocess.run(
        [SHELL, "-c", 'umask 077; cat >>"$1"', SHELL, str(path)],
        cwd="/",
        input=text,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=TEST_SECONDS,
        check=False,
        **user.rights,
    )
    if done.returncode:
        raise StartError(f"`{user.name}` cannot write {path}: {done.stderr.strip()[-800:]}")


def is_root() -> bool:
    """Whether this process runs as root, as which Postgres refuses to run."""
    return os.geteuid() == 0
