"""Is the house in order? What a reader relies on without looking, said as tests."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("schemas", "projections", "services", "infra")
TOP = {
    ".ci", ".env.example", ".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md",
    "CONTRIBUTING.md", "LICENSE", "Makefile", "README.ja.md", "README.md", "docker-compose.yml",
    "docs", "infra", "projections", "pyproject.toml", "requirements", "schemas", "sdk",
    "services", "tests",
}  # fmt: skip
# written in two parts, so that this file does not hold what it looks for
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")))
REGISTRY_HOSTS = re.compile(r"py" + r"pi\.org|pythonhosted" + r"\.org|npm" + r"js\.(org|com)")
MACHINE_PATHS = re.compile(r"(?<![\w.~/}-])/(work|root|home/\w+|Users/\w+)/")
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".txt", ".in", ".sh", ".sql", ".avsc", ""}


def _tracked(root: Path = ROOT) -> list[Path]:
    """What is committed or staged; a log that somebody left lying about is nobody's business."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached"],
        cwd=root, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return sorted(
        root / name for name in set(listed.split("\0")) if name and (root / name).is_file()
    )


def _texts() -> Iterator[tuple[Path, str]]:
    for path in _tracked():
        if path.suffix in TEXT:
            yield path.relative_to(ROOT), path.read_text("utf-8")


def _sources(*rooms: str) -> list[Path]:
    return [
        path
        for path in _tracked()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in rooms
    ]


def test_stray_files_are_not_looked_at_and_staged_ones_are(tmp_path: Path) -> None:
    for name in ("staged.md", "foo.log", "notes.md"):
        (tmp_path / name).write_text("[a link that leads nowhere](gone.md)\n", "utf-8")
    for command in (["init", "--quiet"], ["add", "staged.md"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert _tracked(tmp_path) == [tmp_path / "staged.md"]


def test_every_top_level_name_is_known() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in _tracked()} <= TOP


def test_files_are_small() -> None:
    lengths = {
        path: len(path.read_text("utf-8").splitlines()) for path in _sources(*ROOMS, "tests")
    }
    assert [path for path, length in lengths.items() if length > 400] == []
    assert statistics.median(lengths.values()) <= 120


def test_functions_are_short() -> None:
    functions = [
        (f"{path.relative_to(ROOT)}: {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for path in _sources(*ROOMS, "tests")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [name for name, length in functions if length > 60] == []


def test_nothing_is_left_for_later() -> None:
    assert [str(path) for path, text in _texts() if UNFINISHED.search(text)] == []


def test_no_file_names_a_package_registry_s_host() -> None:
    assert [str(path) for path, text in _texts() if REGISTRY_HOSTS.search(text)] == []


def test_no_file_names_a_place_of_one_machine() -> None:
    found = {str(path): hit[0] for path, text in _texts() if (hit := MACHINE_PATHS.search(text))}
    assert found == {}


@pytest.mark.parametrize("page", ["README.md", "README.ja.md"])
def test_both_front_pages_name_the_two_commands(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert "make demo" in text
    assert "make test" in text


def test_every_verb_of_the_readme_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    pages = [path for path in _tracked() if path.suffix == ".md"]
    named = {
        verb for page in pages for verb in re.findall(r"`make ([a-z-]+)", page.read_text("utf-8"))
    }
    assert {verb for verb in named if not re.search(rf"^{verb}:", makefile, re.M)} == set()


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = []
    for page in (path for path in _tracked() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_path_that_a_page_names_exists() -> None:
    """Pages show where things are; a name that moved would send the reader nowhere."""
    folders = (ROOT / "docs" / "adr", ROOT / "docs" / "architecture.md")
    pages = [
        path for path in _tracked()
        if path.suffix == ".md" and (path.parent in folders or path in folders)
    ]  # fmt: skip
    shown = re.compile(r"`((?:schemas|projections|services|infra|tests|docs)/[\w./-]+)`")
    missing = [
        f"{page.relative_to(ROOT)}: {path}"
        for page in pages
        for path in shown.findall(page.read_text("utf-8"))
        if not (ROOT / path).exists()
    ]
    assert missing == []


def test_every_alert_has_its_runbook() -> None:
    rules = yaml.safe_load((ROOT / "infra" / "prometheus" / "alerts.yml").read_text("utf-8"))
    alerts = {
        rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule
    }
    assert alerts
    assert {
        name for name in alerts if not (ROOT / "docs" / "runbooks" / f"{name}.md").is_file()
    } == set()


def test_every_module_says_which_question_it_answers() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in _sources(*ROOMS)
        if ast.get_docstring(ast.parse(path.read_text("utf-8"))) is None
    ]
    assert silent == []


def test_imports_go_one_way() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
