"""As whom does a server run that refuses to run as root, and what can that user reach?

Rights are dropped in the child between fork and exec, so no program has to be readable for that
but the server's own. Nothing of root's is kept: no group and no capability.
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
        """What `subprocess` is told to start a child as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def other_user() -> User:
    """Who runs servers for root: `postgres` where there is one, else `nobody`."""
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(name, entry.pw_uid, entry.pw_gid)
    raise ProviderError("Postgres refuses to run as root, and no user `nobody` is here: be another")


def owner_of(path: Path) -> User | None:
    """The user who owns a file; None when it is root or nobody knows the number."""
    uid = path.stat().st_uid
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return None if uid == 0 else User(entry.pw_name, uid, entry.pw_gid)


def reaches(user: User, *paths: Path) -> bool:
    """Whether that user can read every file, and enter every folder; tried as that user.

    Root's own `access` would answer for root, and mode bits do not say what an ACL allows.
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
    """Adds text to a file as that user (0600 when it is new).

    Root does not write below a folder of another user: a link laid there would lead it elsewhere.
    Raises StartError when that user cannot write there.
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
    """Whether this process is root, whom Postgres refuses."""
    return os.geteuid() == 0
