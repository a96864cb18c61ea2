"""Is a verb of `hitotsu` found by what its own module declares?"""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import typer.main

from services.cli.__main__ import declared_verbs

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "services" / "cli"
NEW = '''"""`hitotsu greet`: says hello."""

import typer

VERBS = ("greet",)


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(greet)


def greet(name: str) -> None:
    """Say hello to somebody."""
    typer.echo(f"hello {name}")
'''


@pytest.mark.parametrize("module", sorted(declared_verbs(FOLDER)))
def test_a_module_registers_the_verbs_that_it_declares_and_no_other(module: str) -> None:
    found = importlib.import_module(f"services.cli.{module}")
    app = typer.Typer()
    app.callback()(lambda: None)
    found.register(app)
    assert declared_verbs(FOLDER)[module] == found.VERBS
    assert sorted(typer.main.get_command(app).commands) == sorted(found.VERBS)  # type: ignore[attr-defined]


def test_every_module_that_registers_verbs_declares_them() -> None:
    registering = {
        path.stem for path in FOLDER.glob("*.py") if "\ndef register(" in path.read_text("utf-8")
    }
    assert declared_verbs(FOLDER).keys() == registering


def test_no_verb_is_declared_twice() -> None:
    verbs = [verb for found in declared_verbs(FOLDER).values() for verb in found]
    assert len(verbs) == len(set(verbs))


def test_a_module_that_declares_a_verb_is_all_that_a_verb_needs(tmp_path: Path) -> None:
    (tmp_path / "greeting.py").write_text(NEW, "utf-8")
    (tmp_path / "helper.py").write_text('"""No verb."""\n', "utf-8")
    assert declared_verbs(tmp_path) == {"greeting": ("greet",)}


def test_only_the_module_of_the_verb_that_is_asked_for_is_imported() -> None:
    code = (
        "import sys; from services.cli.__main__ import load; load(['prepare'])\n"
        "print(*(name for name in sys.modules if name.startswith('services.cli.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"services.cli.__main__", "services.cli.prepare"}
