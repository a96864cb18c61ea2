"""An id in the address or the query that is no UUID gets one answer, whichever process is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from services.http.operation import Operation
from services.runtime.config import Settings
from services.runtime.tokens import SCOPES, Token, Tokens
from tests.services.http.test_documents import AWAY, PROCESSES

EVERYTHING = Token("all", frozenset({*SCOPES, "channel:*", "store:*"}))
WRONG = "not-a-uuid"


def properties_of(operation: Operation) -> dict[str, Any]:
    """The declared parameters, as JSON Schema by name."""
    if operation.parameters is None:
        return {}
    properties: dict[str, Any] = operation.parameters.model_json_schema().get("properties", {})
    return properties


def ids_of(operation: Operation) -> Iterator[tuple[str, str]]:
    """Where (`path`, `query`) and by which name the operation takes a UUID."""
    for name, schema in properties_of(operation).items():
        kinds = [schema, *schema.get("anyOf", ())]
        if any(kind.get("format") == "uuid" for kind in kinds):
            yield "path" if f"{{{name}}}" in operation.path else "query", name


def address(operation: Operation, name: str) -> str:
    """The operation's address, with that parameter of the path wrong and every other one right."""
    path = operation.path
    for other, schema in properties_of(operation).items():
        right = "7b8d600c-def6-5047-9aba-62b955cf08a7" if schema.get("format") == "uuid" else "1"
        path = path.replace(f"{{{other}}}", WRONG if other == name else right)
    return path


@pytest.mark.parametrize("name", sorted(PROCESSES))
async def test_an_id_that_is_no_uuid_is_422_and_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def everything(self: Tokens, bearer: str) -> Token:
        return EVERYTHING

    monkeypatch.setattr(Tokens, "of", everything)
    app: Starlette = PROCESSES[name].create(Settings.model_validate(AWAY))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        asked = [
            await ask(client, operation, where, parameter)
            for operation in app.state.operations
            for where, parameter in ids_of(operation)
        ]
    assert set(asked) == {"api": {"path", "query"}, "gateway": set(),
                          "commands": {"path"}, "identity": {"path", "query"}}[name]  # fmt: skip


async def ask(client: httpx.AsyncClient, operation: Operation, where: str, name: str) -> str:
    """Asks with that parameter wrong; which place of the request (`path`, `query`) was refused."""
    answer = await client.request(
        operation.method, address(operation, name),
        params={name: WRONG} if where == "query" else {},
        json={} if operation.body else None,
        headers={"Authorization": "Bearer any", "Idempotency-Key": "some"},
    )  # fmt: skip
    assert answer.status_code == 422, (operation.name, name, answer.text)
    said = answer.json()
    assert said["type"] == "/problems/unprocessable-entity"
    assert f"/{where}/{name}" in [error["pointer"] for error in said["errors"]], operation.name
    assert 422 in {problem.status for problem in operation.every_problem()}, operation.name
    return where
