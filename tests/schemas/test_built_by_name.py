"""Are events built by name? A new field in the middle of a schema must not move the others."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from schemas.generated import events
from schemas.generated.events import EVENTS, parts
from schemas.generated.events.parts import LotAllocation

ROOT = Path(__file__).parents[2]
ROOMS = ("infra", "projections", "schemas", "services", "tests")
PARTS = {name for name, cls in vars(parts).items() if isinstance(cls, type)}
CLASSES = {*EVENTS, *PARTS}


def by_position(source: str) -> Iterator[tuple[int, str]]:
    """Line and class of each construction of an event, or of a part, that names no field."""
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("schemas.generated")
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            match node.func:
                case ast.Name(id=name) if imported.get(name) in CLASSES:
                    yield node.lineno, imported[name]
                case ast.Attribute(value=ast.Name(id=module), attr=name):
                    if name in CLASSES and module in imported:
                        yield node.lineno, name


@pytest.mark.one_python
def test_no_event_is_built_by_position() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} builds {name} by position"
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, name in by_position(path.read_text(encoding="utf-8"))
    ]
    assert not wrong, wrong


def test_a_construction_by_position_is_seen() -> None:
    direct = "from schemas.generated.events.parts import LotAllocation as L\nL(b'', b'', 1)"
    through = "from schemas.generated import events\nevents.PointsEarned(meta, profile_id=b'')"
    by_name = "from schemas.generated.events.parts import LotAllocation\nLotAllocation(points=1)"
    assert list(by_position(direct)) == [(2, "LotAllocation")]
    assert list(by_position(through)) == [(2, "PointsEarned")]
    assert not list(by_position(by_name))


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_field_is_by_name_only(name: str) -> None:
    cls = getattr(events if name in EVENTS else parts, name)
    assert all(field.kw_only for field in fields(cls))


def test_python_refuses_a_position() -> None:
    with pytest.raises(TypeError, match="positional"):
        build: Any = LotAllocation
        build(b"", b"", 1)
