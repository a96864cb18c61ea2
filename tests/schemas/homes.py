"""A copy of the schemas that a test may change."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from schemas.declarations import HOME

ROOT = Path(__file__).parents[2]


def copy(folder: Path) -> Path:
    """The .avsc files, what was released, and what was generated."""
    home = folder / "schemas"
    shutil.copytree(HOME, home, ignore=shutil.ignore_patterns("__pycache__", "personal"))
    return home


def add_field(home: Path, file: str, field: dict[str, Any]) -> None:
    (path,) = (home / "history" / file,) if "released" in file else home.rglob(file)
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["fields"].append(field)
    path.write_text(json.dumps(schema), encoding="utf-8")


def tree(folder: Path) -> Path:
    """The whole project with schemas of its own, which the answer is the home of."""
    home = copy(folder)
    (home / "personal").symlink_to(ROOT / "schemas" / "personal")
    for name in ("projections", "services", "infra", "tests", "docs", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    return home


def run(folder: Path, *command: str) -> str:
    """What a command prints that imports the project from this folder; it has to succeed."""
    bin_ = str(Path(sys.executable).parent)
    environment = {"PYTHONPATH": str(folder), "PATH": f"{bin_}:{os.environ['PATH']}"}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout
