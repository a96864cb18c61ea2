"""The oracle is worth something only while it shares nothing with what it judges."""

from __future__ import annotations

import ast
from pathlib import Path

OURS = {"projections", "services", "schemas", "infra"}
HERE = Path(__file__).parent


def test_the_oracle_and_the_log_import_nothing_of_the_product() -> None:
    waiting = [
        "oracle",
        "reading",
        "stored",
        "disorder",
        "sending",
        "verdict",
        "progress",
        "unstorable",
    ]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for module in _imports(_file(name)):
            assert module.partition(".")[0] not in OURS, f"{name} imports {module}"
            if module.startswith("tests.faults."):
                waiting.append(module.removeprefix("tests.faults."))
    assert "expected.customers" in seen


def _file(name: str) -> Path:
    path = HERE / Path(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imports(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {
        name
        for name in found
        if not name.startswith("tests.faults.")
        or _file(name.removeprefix("tests.faults.")).exists()
    }
