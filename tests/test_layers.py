"""Does `make lint` see an import that goes the wrong way? Planted in a copy of the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("schemas", "projections", "services", "infra")
ONE_WAY = "One direction: services -> projections -> schemas"
ENGINE = "The engine finds projections by what they declare"
FLOORS = "The floors of services: a room knows only the rooms below its own"
INFRA = "Only the command line uses infra"
PURE = "The pure core does no I/O"
POINTS = "The rooms of points"
IDENTITY = "The rooms of identity"
NO_HTTP = "Decisions know no HTTP: they end in outcomes"
# where an import is planted, the import, and the contract that it breaks
PLANTED = [
    ("services/points/program/calendar.py", "from infra import backend", INFRA),
    ("services/identity/shards.py", "from infra import probe", INFRA),
    ("services/points/holds/decide.py", "import psycopg", PURE),
    ("services/stock/decide.py", "import psycopg", PURE),
    ("services/points/returns/settlement.py", "import redis", PURE),
    ("services/identity/matching/weights.py", "import asyncio", PURE),
    ("projections/core/fold.py", "import asyncio", PURE),
    ("services/runtime/db.py", "from services.http import problem", FLOORS),
    ("services/reading/rows.py", "from services.points.holds import decide", FLOORS),
    ("services/stock/decide.py", "from services.points.program import rules", FLOORS),
    ("services/points/program/rules.py", "from services.points.holds import purse", POINTS),
    ("services/identity/matching/features.py", "from services.identity import pairs", IDENTITY),
    ("schemas/topics.py", "from services.runtime import db", ONE_WAY),
    ("services/projector/store.py", "from projections import member", ENGINE),
    ("services/reading/reader.py", "from projections import shared_stock", ENGINE),
    ("services/stock/outcomes.py", "from services.http import problem_type", NO_HTTP),
    ("services/points/returns/decide.py", "from services.points.returns import answers", NO_HTTP),
    ("services/identity/review/decide.py", "from services.deciding import answers", NO_HTTP),
]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter prints of a copy in which everything of `PLANTED` is planted."""
    copy = tmp_path_factory.mktemp("tree")
    for room in ROOMS:
        skipped = shutil.ignore_patterns("__pycache__", "*.so", "demo")
        shutil.copytree(ROOT / room, copy / room, ignore=skipped)
    (copy / "services" / "demo").mkdir()
    (copy / "services" / "demo" / "__init__.py").write_text('"""Empty."""\n')
    shutil.copy(ROOT / "pyproject.toml", copy)
    for file, line, _ in PLANTED:
        path = copy / file
        path.write_text(path.read_text("utf-8") + f"\n{line}\n", "utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=copy, env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("file", "line", "contract"), PLANTED)
def test_a_planted_import_is_named(broken: str, file: str, line: str, contract: str) -> None:
    assert f"{contract} BROKEN" in broken
    source = file.removesuffix(".py").replace("/", ".")
    words = line.split()
    target = words[1] if len(words) == 2 else f"{words[1]}.{words[3]}"
    assert f"{source} -> {target}" in broken
