"""A copy of the schemas that a test may change."""

import json
import shutil
from pathlib import Path
from typing import Any

from schemas.declarations import HOME


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
