"""Every route of every process is declared, documented, and every answer has a schema."""

from __future__ import annotations

import importlib
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from services.http.docs import page
from services.http.openapi import document
from services.http.problem_type import DECLARED
from services.http.web_process import About
from services.runtime.config import Settings
from services.runtime.processes import processes

PROCESSES = {
    process.name: importlib.import_module(f"{process.module}.app")
    for process in processes()
    if process.port is not None
}
REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "problems.md"
# of requests that no operation takes, or that its code does not foresee
ANSWERED_BY_THE_FRAMEWORK = {"method-not-allowed", "internal-server-error"}
KEY = b64encode(bytes(range(32))).decode()
AWAY = {
    "key_encryption_key": KEY, "blind_index_key": KEY, "gateway_private_key": KEY,
    "kafka": "127.0.0.1:1", "postgres": "postgresql://127.0.0.1:1/none",
    "redis": "redis://127.0.0.1:1/0",
}  # fmt: skip


@pytest.fixture(scope="module", params=sorted(PROCESSES))
def process(request: pytest.FixtureRequest) -> tuple[Starlette, dict[str, Any]]:
    module = PROCESSES[request.param]
    about: About = module.ABOUT
    app: Starlette = module.create(Settings.model_validate(AWAY))
    return app, document(about.title, about.description, app.state.operations)


def responses(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Operation, status and answer of everything that is documented."""
    for methods in described["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                yield operation["operationId"], status, answer


def test_every_registered_route_is_documented(process: tuple[Starlette, dict[str, Any]]) -> None:
    app, described = process
    registered = {
        (route.path, method.lower())
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or ())
        if method != "HEAD"
    }
    documented = {(path, method) for path, found in described["paths"].items() for method in found}
    assert registered == documented
    assert len(app.routes) == len(app.state.operations)


def test_every_answer_has_a_schema_and_examples_that_it_accepts(
    process: tuple[Starlette, dict[str, Any]],
) -> None:
    _, described = process
    contents = list(_contents(described))
    assert contents
    for where, status, content in contents:
        schema = {**content["schema"], "components": described["components"]}
        assert content["schema"], (where, status)
        jsonschema.Draft202012Validator.check_schema(schema)
        for example in content.get("examples", {}).values():
            jsonschema.Draft202012Validator(schema).validate(example["value"])
    for where, status, answer in responses(described):
        assert answer["description"], (where, status)
        assert answer.get("content") or status.startswith("3"), (where, status)


def _contents(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for where, status, answer in responses(described):
        for content in answer.get("content", {}).values():
            yield where, status, content
    for methods in described["paths"].values():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield operation["operationId"], "body", content


def test_every_example_of_a_body_is_taken_by_its_model(
    process: tuple[Starlette, dict[str, Any]],
) -> None:
    from pydantic import TypeAdapter

    app, described = process
    for operation in app.state.operations:
        if operation.body is not None:
            found = described["paths"][operation.path][operation.method.lower()]["requestBody"]
            media, model = next(iter(operation.body.models.items()))
            for example in found["content"][media]["examples"].values():
                TypeAdapter(model).validate_python(example["value"])


def test_every_operation_says_what_it_is(process: tuple[Starlette, dict[str, Any]]) -> None:
    _, described = process
    names = []
    for methods in described["paths"].values():
        for operation in methods.values():
            names.append(operation["operationId"])
            assert operation["summary"], operation["operationId"]
            assert operation["description"], operation["operationId"]
            assert {"400", "408", "431"} <= operation["responses"].keys()
    assert len(set(names)) == len(names)


def test_every_reference_leads_somewhere(process: tuple[Starlette, dict[str, Any]]) -> None:
    _, described = process
    references = re.findall(r"#/components/schemas/([\w-]+)", str(described))
    assert set(references) <= set(described["components"]["schemas"])


def test_the_page_names_every_operation_and_loads_nothing_from_elsewhere(
    process: tuple[Starlette, dict[str, Any]],
) -> None:
    _, described = process
    text = page(described)
    for path in described["paths"]:
        assert path in text
    assert not re.search(r"<script|@import|url\(|src=", text)


def problem_types(described: dict[str, Any]) -> dict[str, list[str]]:
    """The `type` of every problem, by the schema's name; a problem has exactly one."""
    found = {}
    for name, schema in described["components"]["schemas"].items():
        if name.endswith("Problem"):
            kind = schema["properties"]["type"]
            found[name] = kind.get("enum", [kind.get("const")])
    return found


def test_every_problem_has_a_type_of_its_own_that_resolves(
    process: tuple[Starlette, dict[str, Any]],
) -> None:
    app, described = process
    types = problem_types(described)
    assert all(len(kinds) == 1 for kinds in types.values())
    uris = [kinds[0] for kinds in types.values()]
    assert uris and len(set(uris)) == len(uris)
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", REFERENCE.read_text("utf-8"), re.M))
    client = TestClient(app)
    for uri in uris:
        slug = uri.removeprefix("/problems/")
        assert slug in listed
        page = client.get(uri)
        assert page.status_code == 200 and DECLARED[slug].meaning in page.text


def test_every_problem_that_is_declared_is_answered_by_some_process() -> None:
    answered = set()
    for module in PROCESSES.values():
        app = module.create(Settings.model_validate(AWAY))
        for operation in app.state.operations:
            answered |= {problem.slug for problem in operation.every_problem()}
    assert set(DECLARED) - answered == ANSWERED_BY_THE_FRAMEWORK
