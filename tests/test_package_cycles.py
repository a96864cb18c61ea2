"""Do the packages of `services` import each other in a circle? A package is a directory.

The subpackages of points, identity and the demo count as packages of their own.
"""

from __future__ import annotations

import ast
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).resolve().parents[1]


def _modules(root: Path) -> dict[str, Path]:
    """Every module of `services` by its dotted name; an `__init__` by its package's name."""
    modules = {}
    for path in root.glob("services/**/*.py"):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        modules[name.removesuffix(".__init__")] = path
    return modules


def _imports(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """The modules of `services` that a module imports, inside its functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules else node.module for name in submodules]
        else:
            continue
        yield from (name for name in names if name in modules)


def _packages_imported(root: Path) -> dict[str, set[str]]:
    """The packages that each package imports, itself left out."""
    modules = _modules(root)
    package = {
        name: name if path.name == "__init__.py" else name.rpartition(".")[0]
        for name, path in modules.items()
    }
    graph = defaultdict[str, set[str]](set)
    for name, path in modules.items():
        graph[package[name]] |= {package[other] for other in _imports(path, modules)}
    return {name: others - {name} for name, others in graph.items()}


def package_cycles(root: Path) -> list[tuple[str, str]]:
    """Pairs of packages, each of which reaches the other by imports."""
    graph = _packages_imported(root)
    reached = {name: _reachable(graph, name) for name in graph}
    return sorted(
        (one, other)
        for one in graph
        for other in reached[one]
        if one < other and one in reached.get(other, ())
    )


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen, waiting = set[str](), [start]
    while waiting:
        for name in graph.get(waiting.pop(), set()) - seen:
            seen.add(name)
            waiting.append(name)
    return seen


def test_no_packages_import_each_other() -> None:
    assert package_cycles(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "pair"),
    [
        (
            "services/identity/matching/features.py",
            "from services.identity.shards import share_of",
            ("services.identity", "services.identity.matching"),
        ),
        (
            "services/points/program/entries.py",
            "def late() -> None:\n    from services.points.returns import policies",
            ("services.points.program", "services.points.returns"),
        ),
    ],
)
def test_a_planted_cycle_is_seen(
    tmp_path: Path, file: str, line: str, pair: tuple[str, str]
) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "services", tmp_path / "services", ignore=ignored)
    path = tmp_path / file
    path.write_text(f"{path.read_text('utf-8')}\n{line}\n", "utf-8")
    assert pair in package_cycles(tmp_path)
