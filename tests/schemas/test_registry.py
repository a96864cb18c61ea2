"""A registry holds our schemas under our ids, for ever and again after it lost everything."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from infra.backend import Endpoints
from infra.home import Home
from infra.native.postgres import Postgres
from infra.native.registry import Registry
from schemas.history import releases
from schemas.history.releases import Releases
from schemas.tools import registry
from schemas.tools.registry import RegistryError
from tests.schemas.homes import add_field, copy

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]
SUBJECT = "commerce.inventory-hitotsu.StockReceived"
NOTE = {"name": "note", "type": ["null", "string"], "default": None, "doc": "A remark."}


class _Own:
    """A registry and its Postgres that a test may ruin."""

    def __init__(self, folder: Path) -> None:
        home = Home(folder).open()
        self.postgres, self.registry = Postgres(home), Registry(home)
        self.database = self.postgres.start(_quiet)
        self.url = self.registry.start(_quiet)

    def lose_everything(self) -> None:
        self.registry.stop()
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute("DROP DATABASE registry WITH (FORCE)")
            connection.execute("CREATE DATABASE registry")
        self.url = self.registry.start(_quiet)

    def register(self, schema: Any, subject: str = SUBJECT) -> httpx.Response:
        body = {"schema": json.dumps(schema)}
        return httpx.post(f"{self.url}/subjects/{subject}/versions", json=body, timeout=20)

    def stop(self) -> None:
        self.registry.stop()
        self.postgres.stop()


def _quiet(_doing: str) -> None:
    """Nobody watches these servers start."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, servers: Endpoints) -> Iterator[_Own]:
    made = _Own(tmp_path_factory.mktemp("registry"))
    yield made
    made.stop()


@pytest.mark.long
def test_ids_are_kept_and_come_back_after_the_database_was_thrown_away(own: _Own) -> None:
    assert len(registry.diff(own.url)) == len(releases.Releases().by_id)
    assert len(registry.apply(own.url)) == len(releases.Releases().by_id)
    assert registry.diff(own.url) == []
    assert registry.apply(own.url) == []
    before = _ids(own.url)
    own.lose_everything()
    registry.apply(own.url)
    assert _ids(own.url) == before
    known = releases.Releases()
    assert before == {(item.subject, item.version): item.id for item in known}


def test_an_incompatible_schema_is_refused(own: _Own) -> None:
    registry.apply(own.url)
    known = releases.Releases()
    schema = known.schema(known.newest["StockReceived"])
    schema["fields"].append({"name": "pallet", "type": "string", "doc": "Has no default."})
    assert own.register(schema).status_code == 409


def test_a_new_version_becomes_the_latest_under_our_id(own: _Own, tmp_path: Path) -> None:
    home = copy(tmp_path)
    add_field(home, "stock_received.avsc", NOTE)
    (made,) = releases.release(home)
    assert registry.apply(own.url, Releases(home)) == [made]
    latest = httpx.get(f"{own.url}/subjects/{SUBJECT}/versions/latest", timeout=20).json()
    newest = releases.Releases().newest["StockReceived"].version
    assert (latest["id"], latest["version"]) == (made.id, newest + 1)
    assert registry.diff(own.url, Releases(home)) == []


def test_a_registry_that_answers_another_id_is_refused_and_left_as_it_was(own: _Own) -> None:
    own.lose_everything()
    known = releases.Releases()
    given = own.register(known.schema(known.newest["StockReceived"])).json()["id"]
    assert given != known.newest["StockReceived"].id
    with pytest.raises(RegistryError, match=f"has the id {given} there, not"):
        registry.apply(own.url)
    assert len(_ids(own.url)) == 1


def test_a_registry_that_is_away_is_named() -> None:
    with pytest.raises(RegistryError, match=r"http://127.0.0.1:1 does not answer"):
        registry.diff("http://127.0.0.1:1/apis/ccompat/v7")


def _ids(url: str) -> dict[tuple[str, int], int]:
    found = {}
    for subject in httpx.get(f"{url}/subjects", timeout=20).json():
        for version in httpx.get(f"{url}/subjects/{subject}/versions", timeout=20).json():
            held = httpx.get(f"{url}/subjects/{subject}/versions/{version}", timeout=20).json()
            found[subject, version] = held["id"]
    return found
