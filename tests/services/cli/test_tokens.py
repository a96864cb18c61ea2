"""Are callers' tokens made, listed and ended beside a running stack, and does `up` keep it so?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from infra.stack import Stack
from services.cli import local_services
from services.runtime.tokens import _hash
from tests.forks import run

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    own = Stack(tmp_path_factory.mktemp("tokens"), provider="auto", registry=False)
    own.start_servers()
    as_up_does(own)
    yield own
    own.stop(purge=True)


def as_up_does(stack: Stack) -> None:
    """What `hitotsu up` does to tables and tokens before it starts the services."""
    endpoints = stack.endpoints()
    env = local_services.environment(stack.home, endpoints)
    local_services.prepare(endpoints, env, local_services.tokens(stack.home))


def verb(stack: Stack, *words: str, code: int = 0) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("HITOTSU_")}
    done = run("services.cli", *words, env={**env, "HITOTSU_HOME": str(stack.home.path)})
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def valid(stack: Stack, token: str) -> bool:
    query = "SELECT 1 FROM hitotsu.api_token WHERE token_hash = %s AND revoked_at IS NULL"
    with psycopg.connect(stack.endpoints().postgres) as connection:
        return connection.execute(query, [_hash(token)]).fetchone() is not None


def shown(stack: Stack) -> dict[str, Any]:
    found = json.loads(verb(stack, "tokens", "list", "--json"))
    return {one["name"]: one for one in found}


def test_a_replaced_token_stays_replaced(stack: Stack) -> None:
    old = stack.home.read("tokens")["till"]
    assert valid(stack, old)
    new = verb(stack, "token", "till").strip()
    assert (valid(stack, old), valid(stack, new)) == (False, True)
    as_up_does(stack)
    assert (valid(stack, old), valid(stack, new)) == (False, True)
    assert stack.status()["tokens"]["till"] == new
    assert shown(stack)["till"]["role"] == "till"


def test_a_revoked_token_stays_revoked(stack: Stack) -> None:
    old = stack.home.read("tokens")["ec"]
    assert "revoked" in verb(stack, "tokens", "revoke", "ec")
    assert "no valid token" in verb(stack, "tokens", "revoke", "ec", code=1)
    as_up_does(stack)
    assert not valid(stack, old)
    assert not valid(stack, stack.home.read("tokens")["ec"])
    assert shown(stack)["ec"]["revoked_at"]


def test_a_list_shows_everything_but_the_secret(stack: Stack) -> None:
    scopes = ("events:write", "channel:STORE", "system:pos", "store:S001")
    made = verb(stack, "tokens", "create", "till-s001", *scopes).strip()
    assert valid(stack, made)
    listed = shown(stack)
    assert listed["till-s001"] | {"created_at": None} == {
        "name": "till-s001", "role": "till", "scopes": sorted(scopes), "created_at": None,
        "revoked_at": None,
    }  # fmt: skip
    assert {listed[name]["role"] for name in ("bulk", "operator")} == {"operations"}
    assert listed["app"]["role"] is None
    table = verb(stack, "tokens", "list")
    assert made not in table
    assert "till-s001" in table


def test_what_cannot_be_a_token_is_said(stack: Stack) -> None:
    wide = ("tokens", "create", "centre", "events:write", "channel:CALL_CENTRE")
    assert "needs a role" in verb(stack, *wide, code=1)
    assert "unknown role" in verb(stack, *wide, "--role", "boss", code=1)
    assert "unknown scope" in verb(stack, "tokens", "create", "x", "events:erase", code=1)
    assert "give its scopes" in verb(stack, "tokens", "create", "nobody", code=1)
    assert verb(stack, *wide, "--role", "operations").startswith("hitotsu_")
