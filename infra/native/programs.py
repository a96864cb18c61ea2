"""Copies Postgres' programs to where an unprivileged user can run them.

They are copied with the libraries and files that they load by relative path, into a folder named by
a hash of the contents. Another release gets another folder, and the earlier folder is removed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from infra.backend import ProviderError
from infra.closed_home import Outside
from infra.native.server import Say
from infra.native.server_user import User
from infra.process import StartError

PREFIX = "programs-"
PROGRAMS = ("postgres", "initdb")
TRY_SECONDS = 30.0
LEFT_OUT = shutil.ignore_patterns("doc", "man", "pkgconfig", "*.a")


def needed(binaries: Path) -> list[Path]:
    """The files and folders that a user must be able to read to run the programs in place."""
    paths = [binaries, *(binaries / name for name in PROGRAMS)]
    root = binaries.parent
    return [*paths, *(path for path in (*_tables(root), _libraries(root)) if path.exists())]


def copied(binaries: Path, outside: Outside, say: Say) -> Path:
    """The folder of the programs in the outside folder; copies them if they are missing.

    Raises ProviderError when the package has no folder `share`.
    """
    root = binaries.parent
    if not (root / "share").is_dir():
        raise ProviderError(
            f"Postgres' programs in {binaries} cannot be read by the user they run as, and "
            f"{root / 'share'} does not exist to copy them from: let others read that folder"
        )
    folder = outside.path
    assert folder is not None, "the folder is made first"
    target = folder / f"{PREFIX}{_digest(root)}"
    if not target.is_dir():
        say("copying the programs")
        beside = outside.beside("programs")
        shutil.rmtree(beside, ignore_errors=True)
        _copy(root, beside)
        beside.rename(target)
    for other in folder.glob(f"{PREFIX}*"):
        if other != target:
            shutil.rmtree(other, ignore_errors=True)
    return target / "postgres" / "install" / "bin"


def try_out(binaries: Path, user: User) -> None:
    """Runs the programs with `--version` as that user; StartError if that fails."""
    for name in PROGRAMS:
        try:
            done = subprocess.run(
                [str(binaries / name), "--version"], capture_output=True, text=True, cwd="/",
                timeout=TRY_SECONDS, check=False, **user.rights,
            )  # fmt: skip
        except OSError as error:
            reason = str(error)
        else:
            if done.returncode == 0:
                continue
            reason = done.stderr.strip()
        raise StartError(f"postgres: `{user.name}` cannot run {binaries / name}: {reason}")


def copy_as_owned(source: Path, target: Path) -> None:
    """Copies a folder with owners and modes, replacing `target`, and syncs it to disk."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)
    pairs = ((path, target / path.relative_to(source)) for path in (source, *source.rglob("*")))
    for old, new in pairs:
        entry = old.lstat()
        os.chown(new, entry.st_uid, entry.st_gid, follow_symlinks=False)
    os.sync()


def _copy(root: Path, target: Path) -> None:
    """Copies programs, libraries and files in the same layout, which the programs rely on."""
    install = target / "postgres" / "install"
    (install / "bin").mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy2(root / "bin" / name, install / "bin" / name)
    for name in ("lib", "share"):
        if (root / name).is_dir():
            shutil.copytree(root / name, install / name, ignore=LEFT_OUT)
    if _libraries(root).is_dir():
        shutil.copytree(_libraries(root), target / _libraries(root).name)
    for path in (target, *target.rglob("*")):
        executable = path.is_dir() or path.parent.name == "bin"
        path.chmod(0o755 if executable else 0o644)


def _tables(root: Path) -> tuple[Path, ...]:
    """What `initdb` reads; also a single file, since a umask of 077 can make it unreadable."""
    return root / "lib", root / "share", root / "share" / "postgres.bki"


def _libraries(root: Path) -> Path:
    """The folder `NAME.libs` of shared libraries that a wheel has beside its package."""
    return root.parent.parent / f"{root.parent.name}.libs"


def _digest(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(_files(root)):
        with path.open("rb") as file:
            contents = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(root.parent.parent)} {contents}\n".encode())
    return digest.hexdigest()[:16]


def _files(root: Path) -> Iterator[Path]:
    yield from (root / "bin" / name for name in PROGRAMS)
    for folder in (root / "lib", root / "share", _libraries(root)):
        yield from (path for path in folder.rglob("*") if path.is_file())
