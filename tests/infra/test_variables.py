"""Is a variable that is set to "" like one that is not set, wherever it is read?"""

from __future__ import annotations

import ast
import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.backend import ProviderError, decide
from infra.home import CACHE_VARIABLE, HOME_VARIABLE, Home
from services.cli import endpoints, prepare, tokens

ROOT = Path(__file__).parents[2]
OF_OTHERS = {"PYTHONPATH", "CC", "DOCKER_HOST"}
# the one that decides; and HITOTSU_PURE, for which "0" is not set either
READERS = {"infra/variables.py", "schemas/wire/compiled_codec.py"}
KEYS = ("HITOTSU_KEY_ENCRYPTION_KEY", "HITOTSU_BLIND_INDEX_KEY", "HITOTSU_GATEWAY_PRIVATE_KEY")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that knows its servers, where HITOTSU_POSTGRES is set to ""."""
    home = Home(tmp_path / "home").open()
    known = {"kafka": "k:1", "postgres": "postgresql://local", "redis": "r", "registry": None}
    home.write("state", {"provider": "external", "endpoints": known})
    home.write("tokens", {"till": "old"})
    monkeypatch.setenv("HITOTSU_POSTGRES", "")
    return home.path


def test_a_token_of_the_local_stack_is_stored_in_its_home(folder: Path) -> None:
    tokens._remember(folder, "till", "new")
    assert Home(folder).read("tokens") == {"till": "new"}
    assert tokens._prepares() == "`hitotsu up`"


def test_verbs_use_the_local_stack(folder: Path) -> None:
    assert endpoints.settings(folder).postgres == "postgresql://local"


def test_a_home_and_a_provider_are_the_usual_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (HOME_VARIABLE, CACHE_VARIABLE, "HITOTSU_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    usual = Home().path, Home().cache, _decided()
    for name in (HOME_VARIABLE, CACHE_VARIABLE, "HITOTSU_PROVIDER"):
        monkeypatch.setenv(name, "")
    assert (Home().path, Home().cache, _decided()) == usual


def _decided() -> str:
    try:
        return decide().name
    except ProviderError as error:
        return str(error)


def test_settings_have_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, base64.b64encode(bytes(32)).decode())
    usual = prepare.settings()
    for name in ("KAFKA", "POSTGRES", "REDIS", "REGISTRY", "PORT", "GROUP", "ACCRUAL", "LOG_LEVEL"):
        monkeypatch.setenv(f"HITOTSU_{name}", "")
    assert prepare.settings() == usual
    monkeypatch.setenv(KEYS[0], "")
    with pytest.raises(ProviderError, match=f"{KEYS[0]}: Field required"):
        prepare.settings()


def _reads(path: Path) -> Iterator[str]:
    """The variables that a module reads by itself, as they are written there."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(attr="getenv"), args=[name, *_]):
                yield ast.unparse(name)
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(attr="environ"), attr="get"), args=[name, *_]
            ):
                yield ast.unparse(name)
            case ast.Subscript(value=ast.Attribute(attr="environ"), slice=name):
                yield ast.unparse(name)
            case ast.Compare(left=name, comparators=[ast.Attribute(attr="environ")]):
                yield ast.unparse(name)
            case _:
                pass


def test_only_one_function_reads_variables() -> None:
    read = {
        f"{path.relative_to(ROOT)}: {name}"
        for room in ("infra", "schemas", "projections", "services")
        for path in (ROOT / room).rglob("*.py")
        if str(path.relative_to(ROOT)) not in READERS
        for name in _reads(path)
        if name.strip("'\"") not in OF_OTHERS
    }
    assert read == set()
