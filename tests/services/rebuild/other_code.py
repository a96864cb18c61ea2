"""A checkout whose projections are others: for processes that run the code of tomorrow."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "howto" / "add-a-projection.md"
FILES = re.compile(
    r"^`(?P<path>projections/[\w/.]+)`:\n\n```python\n(?P<text>.*?)^```$", re.M | re.S
)


def other_code(at: Path) -> Path:
    """Copies the projections, links the rest; nothing is compiled anew."""
    at.mkdir(parents=True)
    for name in ("services", "schemas", "infra", "tests", "docs"):
        (at / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "projections", at / "projections")
    return at


def add_best_sellers(at: Path) -> None:
    """Adds the projection of docs/howto/add-a-projection.md, as the page has it."""
    for found in FILES.finditer(PAGE.read_text("utf-8")):
        path = at / found["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found["text"], "utf-8")


def change(at: Path, name: str, old: str, new: str) -> None:
    """Changes a projection's declaration: one place of its `__init__.py`."""
    path = at / "projections" / name / "__init__.py"
    text = path.read_text("utf-8")
    assert text.count(old) == 1, (name, old, text.count(old))
    path.write_text(text.replace(old, new), "utf-8")
