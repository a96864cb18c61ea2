"""Do the four documents make a TypeScript client that compiles strictly, and refuses mistakes?"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from services.runtime.config import Settings
from tests.sdk import nodejs
from tests.services.http.test_documents import AWAY, PROCESSES

pytestmark = pytest.mark.one_python

WRONG = Path(__file__).with_name("wrong.ts")
ERROR = re.compile(r"^(?P<file>[\w/.-]+)\((?P<line>\d+),\d+\): error TS\d+", re.M)


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `tsc --strict` says of client, example and mistakes, with the types generated anew."""
    nodejs.needed()
    folder = nodejs.copy_to(tmp_path_factory.mktemp("sdk") / "typescript")
    (folder / "node_modules").symlink_to(nodejs.installed())
    words = []
    for name, module in PROCESSES.items():
        app = module.create(Settings.model_validate(AWAY))
        (folder / f"{name}.json").write_bytes(TestClient(app).get("/openapi.json").content)
        words.append(f"{name}={folder / name}.json")
    nodejs.run("node", "generate.mjs", *words, folder=folder)
    shutil.copy(WRONG, folder / "examples")
    return nodejs.run("node_modules/.bin/tsc", "--strict", folder=folder, code=2)


def test_client_and_example_compile_strictly(printed: str) -> None:
    wrong = {match["file"] for match in ERROR.finditer(printed)} - {"examples/wrong.ts"}
    assert wrong == set(), printed


def test_every_mistake_is_refused_and_nothing_else(printed: str) -> None:
    lines = WRONG.read_text("utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("// wrong")}
    refused = {
        int(match["line"])
        for match in ERROR.finditer(printed)
        if match["file"] == "examples/wrong.ts"
    }
    assert len(marked) >= 10
    assert refused == marked, printed


def test_strictness_is_on_and_versions_are_pinned() -> None:
    options = json.loads((nodejs.SDK / "tsconfig.json").read_text("utf-8"))["compilerOptions"]
    assert options["strict"] is True
    package = json.loads((nodejs.SDK / "package.json").read_text("utf-8"))
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert {"openapi-typescript", "openapi-fetch", "typescript"} <= versions.keys()
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values()), versions


def test_the_lock_file_names_no_registry_and_every_hash() -> None:
    lock = json.loads((nodejs.SDK / "package-lock.json").read_text("utf-8"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert [name for name, one in packages.items() if "resolved" in one] == []
    assert [name for name, one in packages.items() if not one.get("integrity")] == []
