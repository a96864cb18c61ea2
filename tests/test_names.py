"""Does a name say what it names? One class name for one class, and nouns for modules."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).parent.parent
ROOMS = ("schemas", "projections", "services", "infra")
# verbal nouns that the field uses as such
NOUNS = {"feed", "grouping", "logging"}
PARTICLES = {"in", "off", "out", "up"}
ADJECTIVES = {
    "alone", "available", "blind", "due", "everybody", "golden", "near",
    "local", "native", "outside", "storable", "western", "whole",
}  # fmt: skip
IRREGULAR = {"kept", "seen", "said", "told", "sold", "held", "spent", "taken", "owed", "found"}


def modules(root: Path = ROOT) -> list[Path]:
    """Every module of ours, without what is generated."""
    listed = [path for room in ROOMS for path in (root / room).rglob("*.py")]
    return [path for path in listed if "generated" not in path.parts]


def class_names(paths: list[Path]) -> dict[str, list[str]]:
    """The modules that define a class of each name."""
    names: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                names[node.name].append(str(path))
    return names


def says_no_thing(module: str) -> bool:
    """Whether a module's name is a participle or an adjective alone."""
    last = module.rsplit("_", 1)[-1]
    if last in NOUNS:
        return False
    return module in ADJECTIVES or last in IRREGULAR | PARTICLES or last.endswith(("ing", "ed"))


def test_no_class_name_stands_in_two_modules() -> None:
    twice = {name: where for name, where in class_names(modules()).items() if len(where) > 1}
    assert not twice


def test_no_module_is_named_by_a_participle_or_an_adjective() -> None:
    assert not [str(path) for path in modules() if says_no_thing(path.stem)]


@pytest.mark.parametrize("name", ["kept", "touched", "standing", "near", "left_out", "catching_up"])
def test_a_riddle_of_a_name_is_recognised(name: str) -> None:
    assert says_no_thing(name)


def test_a_class_name_in_two_modules_is_recognised(tmp_path: Path) -> None:
    for room in ("services/a", "services/b"):
        (tmp_path / room).mkdir(parents=True)
        (tmp_path / room / "store.py").write_text("class Seen:\n    pass\n")
    assert len(class_names(modules(tmp_path))["Seen"]) == 2
