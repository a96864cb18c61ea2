"""Which user runs a server that refuses to run as root, and what can that user reach?

The child drops its rights between fork and exec, so that user only needs access to the server's own
program. No group and no capability of root's is kept.
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
        """The arguments of `subprocess` that start a child as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def other_user() -> User:
    """The user who runs servers for root: `postgres` if it exists, else `nobody`."""
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(name, entry.pw_uid, entry.pw_gid)
    raise ProviderError(
        "Postgres refuses to run as root, and there is no user `nobody`: run as another"
    )


def owner_of(path: Path) -> User | None:
    """The user who owns a file; None for root or an unknown uid."""
    uid = path.stat().st_uid
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return None
    return None if uid == 0 else User(entry.pw_name, uid, entry.pw_gid)


def reaches(user: User, *paths: Path) -> bool:
    """Whether that user can read every file and enter every folder; tested in a process of that
    user.

    Root's own `access` would answer for root, and mode bits do not show ACLs.
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
    """Appends text to a file as that user (mode 0600 when new).

    Root does not write below another user's folder itself, because a planted link could redirect
    it. Raises StartError when that user cannot write there.
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
    """Whether this process is root; Postgres refuses to run as root."""
    return os.geteuid() == 0
