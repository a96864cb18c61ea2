"""Checks whether this machine can run the stack; says how to fix what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from infra import backend
from infra.closed_home import Outside
from infra.home import Home, is_free
from infra.native import jars, java, postgres, server_user, valkey
from infra.process import Recorded
from schemas.wire.compiled_codec import native

OLDEST_PYTHON = (3, 11)
NEWEST_PYTHON = (3, 13)
PACKAGES = ("aiokafka", "faust-streaming", "fastavro", "psycopg", "redis", "starlette", "typer")
COMPILED = ("schemas.wire._reading", "projections.core._row_copy", "projections.core._redis_rows")
DISK_BYTES = 3 * 1024**3


@dataclass(frozen=True)
class Finding:
    """The result of one check; `fix` says what to do if it failed."""

    what: str
    good: bool
    found: str
    fix: str = ""


def examine(provider: str, home: Home) -> list[Finding]:
    findings = [_python(), _packages(), _compiled(), _disk(home.path), _folder(home.path)]
    chosen, finding = _provider(provider)
    findings.append(finding)
    if chosen in ("native", None):
        findings += _native(home)
    findings += _ports(home)
    return findings


def _python() -> Finding:
    version = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    good = OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON
    return Finding("python", good, version, "" if good else "use Python 3.11, 3.12 or 3.13")


def _packages() -> Finding:
    missing = []
    for name in PACKAGES:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("packages", False, f"missing {', '.join(missing)}", "pip install .")
    return Finding("packages", True, f"{len(PACKAGES)} of {len(PACKAGES)} present")


def _compiled() -> Finding:
    """Never fails: without the compiled modules everything works, but more slowly."""
    there = [name for name in COMPILED if native(name) is not None]
    if len(there) == len(COMPILED):
        return Finding("compiled", True, f"{len(there)} of {len(COMPILED)} hot loops")
    found = f"{len(there)} of {len(COMPILED)} hot loops; Python does the rest, more slowly"
    return Finding("compiled", True, f"{found} (install a C compiler and Python's headers)")


def _disk(home: Path) -> Finding:
    there = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(there).free
    good = free >= DISK_BYTES
    fix = "" if good else "free 3 GB there, or set HITOTSU_HOME to a folder with room"
    return Finding("disk", good, f"{free / 1024**3:.1f} GB free at {there}", fix)


def _folder(home: Path) -> Finding:
    there = next(path for path in (home, *home.parents) if path.exists())
    good = os.access(there, os.W_OK | os.X_OK) and there.is_dir()
    fix = "" if good else "set HITOTSU_HOME or --home to a folder you can write in"
    return Finding("folder", good, str(home), fix)


def _provider(provider: str) -> tuple[str | None, Finding]:
    try:
        choice = backend.decide(provider)
    except backend.ProviderError as error:
        return None, Finding("provider", False, "none can be used", str(error))
    return choice.name, Finding("provider", True, f"{choice.name}, because {choice.why}")


def _native(home: Home) -> Iterator[Finding]:
    yield _part("java", java.executable)
    yield _part("postgres", lambda: str(postgres.binaries()))
    if server_user.is_root():
        yield _data(home)
    yield _part("valkey", valkey.executable)
    fetched = (home.cache / "kafka.verified").exists()
    where = f"in {home.cache}" if fetched else "fetched at the first start (network needed once)"
    yield Finding("kafka", True, f"{jars.KAFKA_VERSION}, {len(jars.locked('kafka'))} jars {where}")


def _data(home: Home) -> Finding:
    """For root: as which user Postgres runs, and where its data is.

    Postgres refuses to run as root, and another user usually cannot enter the stack's folder.
    """
    try:
        user = server_user.other_user()
    except backend.ProviderError as error:
        return Finding("data", False, "no user to run Postgres", str(error))
    where = Outside(home).path or "a folder outside, made at the first start"
    return Finding("data", True, f"Postgres' in {where}, as user {user.name}")


def _part(what: str, find: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, find())
    except backend.ProviderError as error:
        return Finding(what, False, "not found", str(error))


def _ports(home: Home) -> Iterator[Finding]:
    """Reports recorded ports that another program uses; the next start replaces them."""
    known = home.read("ports")
    servers = home.read("state").get("servers", {})
    ours = any((recorded := Recorded.of(entry)) and recorded.alive for entry in servers.values())
    taken = [] if ours else [name for name, port in known.items() if not is_free(int(port))]
    if ours:
        found = "in use by this stack"
    elif taken:
        found = f"taken by others: {', '.join(taken)} (the next start picks free ones)"
    else:
        found = "free ones are chosen at the start"
    yield Finding("ports", True, found)
