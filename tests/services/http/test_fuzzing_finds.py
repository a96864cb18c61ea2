"""Does the fuzzing find what it looks for? Faults are planted in a small process like ours."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infra.home import free_port
from services.http.operation import AnswerModel, Operation, Reply
from services.http.response import OneWriteProtocol
from services.http.web_process import About, web_process
from tests.services.http.fuzzing import begin

pytestmark = [pytest.mark.one_python, pytest.mark.timeout(120)]


class Count(AnswerModel):
    """How many."""

    count: int


async def right(_request: Request) -> Response:
    return JSONResponse({"count": 1})


async def off_schema(_request: Request) -> Response:
    return JSONResponse({"count": "one"})


async def undocumented_status(_request: Request) -> Response:
    return JSONResponse({"count": 1}, 218)


async def server_error(_request: Request) -> Response:
    raise RuntimeError("planted")


PLANTED = {"off_schema": off_schema, "undocumented_status": undocumented_status,
           "server_error": server_error}  # fmt: skip


@asynccontextmanager
async def nothing_to_open(_app: Starlette) -> AsyncIterator[None]:
    yield


@pytest.fixture
def url() -> Iterator[str]:
    """A process with a route that is right and one for each planted fault."""
    operations = [
        Operation(
            method="GET", path=f"/v1/planted/{name}", name=name, summary=name, tag="planted",
            endpoint=endpoint, replies={200: Reply(Count, "How many.")},
        )
        for name, endpoint in {"right": right, **PLANTED}.items()
    ]  # fmt: skip
    app = web_process(About("planted", "Planted", "Faults."), operations, (), nothing_to_open)
    config = uvicorn.Config(
        app, port=free_port(), http=OneWriteProtocol, log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{config.port}"
    server.should_exit = True
    thread.join()


def test_each_planted_fault_is_found_and_nothing_else(url: str, tmp_path: Path) -> None:
    found = begin(url, "any", 12, tmp_path).result()
    assert found.code == 1, found.output
    failures = found.output.partition("FAILURES")[2].partition("SUMMARY")[0]
    blamed = {name for name in found.operations if f" {name} _" in failures}
    assert blamed == {f"GET /v1/planted/{name}" for name in PLANTED}, found.output
    assert "Undocumented status code" in failures
    assert "Response violates schema" in failures
    assert "Server error" in failures
    assert "GET /v1/planted/server_error" in found.never_well()
    assert "GET /v1/planted/right" not in found.never_well()
    assert found.asked >= 12
