"""Node.js and npm, and what `sdk/typescript` is built with."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.howto.pages import ROOT

SDK = ROOT / "sdk" / "typescript"
NEEDED = 20  # the oldest major version that is tested


def needed() -> None:
    """Fails in CI, skips elsewhere, where Node.js or npm is missing; the message says which."""
    node, npm = shutil.which("node"), shutil.which("npm")
    version = run("node", "--version").strip() if node else "none"
    major = re.match(r"v(\d+)\.", version)
    if npm and major and int(major[1]) >= NEEDED:
        return
    lacks = (
        f"the TypeScript client needs Node.js {NEEDED} or newer and npm on PATH:"
        f" node is {version}, npm is {npm or 'missing'}"
    )
    if os.environ.get("CI"):
        pytest.fail(lacks)
    pytest.skip(lacks)


def installed() -> Path:
    """The folder of packages of `sdk/typescript`, as its lock file pins them."""
    modules, lock = SDK / "node_modules", SDK / "package-lock.json"
    (ROOT / "var").mkdir(exist_ok=True)
    with open(ROOT / "var" / "npm.lock", "w") as taken:
        fcntl.flock(taken, fcntl.LOCK_EX)  # another worker may be installing
        done = modules / ".package-lock.json"  # npm writes it last
        if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
            run("npm", "ci", "--prefer-offline", folder=SDK)
    return modules


def copy_to(folder: Path) -> Path:
    """A copy of `sdk/typescript` as it is in the repository."""
    ignored = shutil.ignore_patterns("node_modules", "dist", "generated")
    shutil.copytree(SDK, folder, ignore=ignored)
    return folder


def run(*argv: str, folder: Path = ROOT, code: int = 0) -> str:
    """What the command printed, if it ended as it should."""
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL
    )
    printed = done.stdout + done.stderr
    assert done.returncode == code, f"{' '.join(argv)} ended with {done.returncode}:\n{printed}"
    return printed
