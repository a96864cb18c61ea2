"""Answers leave in one write, and say what the framework and the server would have said."""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Thread
from typing import Any, BinaryIO

import pytest
import uvicorn
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.http.application import Application
from services.http.operation import Operation, Reply
from services.http.problem import Refuse
from services.http.response import WRITE, JsonText, OneWriteProtocol

PATIENCE = 30.0
DATE = re.compile(rb"date: [^\r]+\r\n")
behind: list[str] = []


async def answer(request: Request) -> Response:
    """Whatever the path asks for."""
    kind = request.path_params["kind"]
    if kind == "refused":
        raise Refuse(409, "Conflict", "no", retry_after=2)
    if kind == "broken":
        raise LookupError("a value that must not be told")
    if kind == "streamed":
        return StreamingResponse(iter([b"a", b"b"]))
    if kind == "half":
        return StreamingResponse(_half())
    if kind == "then":
        return PlainTextResponse("now", background=BackgroundTask(behind.append, "later"))
    made: dict[str, Response] = {
        "json": JsonText(b'{"a":1}', [(b"cache-control", b"no-store")]),
        "empty": Response(status_code=204),
        "moved": Response(status_code=307, headers={"Location": "/v1/as/json"}),
        "unchanged": Response(status_code=304),
        "closed": PlainTextResponse("last", headers={"Connection": "close"}),
        "split": PlainTextResponse("x", headers={"X-Name": "a\r\nSet-Cookie: b"}),
        "control": PlainTextResponse("x", headers={"X-Name": "a\x01b"}),
        "named": PlainTextResponse("x", headers={"X Name": "a"}),
        "long": PlainTextResponse("x", headers={"Content-Length": "7"}),
    }
    return made[kind]


async def _half() -> AsyncIterator[bytes]:
    yield b"first"
    raise LookupError("in the middle")


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    yield


def application(service: str = "test") -> Application:
    shown = Operation(
        method="GET", path="/v1/as/{kind}", name="shown", summary="Shows", tag="t",
        endpoint=answer, replies={200: Reply(None, "Shown.")},
    )  # fmt: skip
    return Application(service, [shown], lifespan)


def by_messages(app: Application) -> Any:
    """The same application, which has nothing to write with but the messages of ASGI."""

    async def without(scope: Scope, receive: Receive, send: Send) -> None:
        scope.get("extensions", {}).pop(WRITE, None)
        await app(scope, receive, send)

    return without


@contextmanager
def serving(app: Any, protocol: Any) -> Iterator[tuple[str, int]]:
    """The address of a server, on a loop of its own in a thread."""
    config = uvicorn.Config(
        app, port=0, http=protocol, log_config=None, server_header=False, loop="uvloop"
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[tuple[str, int], tuple[str, int]]]:
    """Ours, and the same application behind the server's own protocol."""
    with (
        serving(application("ours"), OneWriteProtocol) as ours,
        serving(by_messages(application("plain")), HttpToolsProtocol) as plain,
    ):
        yield ours, plain


def said(address: tuple[str, int], sent: bytes) -> bytes:
    """All that the server sends until it closes."""
    with socket.create_connection(address, PATIENCE) as connection:
        connection.sendall(sent)
        told = b""
        while part := connection.recv(65_536):
            told += part
    return DATE.sub(b"", told)


def asked(path: str, method: str = "GET", *more: str, last: bool = True) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *more]
    return "\r\n".join([*lines, *(["Connection: close"] if last else []), "", ""]).encode()


KINDS = (
    "json", "refused", "broken", "streamed", "then", "empty", "moved", "unchanged", "closed",
    "split", "control", "named", "long", "half",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_in_one_write_is_the_same_bytes(both: Any, kind: str, method: str) -> None:
    ours, plain = (said(address, asked(f"/v1/as/{kind}", method)) for address in both)
    assert ours == plain
    # a header that cannot be sent ends the connection
    assert ours.startswith(b"HTTP/1.1 ") is (kind not in ("split", "control", "named"))
    assert b"set-cookie" not in ours.lower()
    assert b"must not be told" not in ours


@pytest.mark.parametrize(
    ("path", "method"), [("/v1/no/such", "GET"), ("/v1/as/json", "DELETE"), ("/none", "GET")]
)
def test_unknown_addresses_and_methods_are_problems(both: Any, path: str, method: str) -> None:
    ours, plain = (said(address, asked(path, method)) for address in both)
    assert ours == plain
    assert b"application/problem+json" in ours


def test_requests_sent_at_once_are_answered_in_order(both: Any) -> None:
    kinds = ["json", "refused", "streamed", "broken", "empty", "json"]
    sent = b"".join(asked(f"/v1/as/{kind}", last=False) for kind in kinds) + asked("/v1/as/moved")
    ours, plain = (said(address, sent) for address in both)
    assert ours == plain
    assert ours.count(b"HTTP/1.1 ") == len(kinds) + 1


def test_old_clients_and_bodies_that_nobody_reads_are_answered_the_same(both: Any) -> None:
    old = b"GET /v1/as/json HTTP/1.0\r\nHost: x\r\n\r\n"
    body = asked("/v1/as/json", "GET", "Content-Length: 3", last=False) + b"abc"
    waits = asked("/v1/as/json", "GET", "Content-Length: 3", "Expect: 100-continue") + b"abc"
    for sent in (old, body + asked("/v1/as/json"), waits):
        ours, plain = (said(address, sent) for address in both)
        assert ours == plain, sent


def test_what_comes_after_an_answer_is_done(both: Any) -> None:
    for address in both:
        behind.clear()
        assert b"now" in said(address, asked("/v1/as/then"))
        ended = time.monotonic() + PATIENCE
        while not behind and time.monotonic() < ended:
            time.sleep(0.01)
        assert behind == ["later"]


@pytest.mark.parametrize("kind", ["json", "refused", "broken", "empty", "then"])
def test_an_answer_leaves_no_reference_cycle(kind: str) -> None:
    """Cycles wait for the garbage collector, which then stops everybody's answers for long."""
    many, sent = 50, asked(f"/v1/as/{kind}", last=False)
    with (
        serving(application("cycles"), OneWriteProtocol) as address,
        socket.create_connection(address, PATIENCE) as connection,
        connection.makefile("rb") as told,
    ):
        _ask_in_turn(connection, told, sent, 2)  # what is made once
        gc.collect()
        gc.disable()
        try:
            _ask_in_turn(connection, told, sent, many)
            assert gc.collect() < many
        finally:
            gc.enable()


def _ask_in_turn(connection: socket.socket, told: BinaryIO, sent: bytes, times: int) -> None:
    """Asks over one connection, each time after the answer is there whole."""
    for _ in range(times):
        connection.sendall(sent)
        head = b"".join(iter(told.readline, b"\r\n")).lower()
        if length := re.search(rb"content-length: (\d+)", head):
            told.read(int(length[1]))
        elif b"chunked" in head:
            b"".join(iter(told.readline, b"0\r\n"))
            told.readline()


def test_every_answer_is_counted_by_its_route_and_status() -> None:
    def counted(route: str, status: int) -> float:
        labels = {"service": "counted", "route": route, "status": str(status)}
        return REGISTRY.get_sample_value("hitotsu_http_responses_total", labels) or 0.0

    app = application("counted")
    for path, method, route, status in (
        ("/v1/as/json", "GET", "/v1/as/{kind}", 200),
        ("/v1/as/refused", "GET", "/v1/as/{kind}", 409),
        ("/v1/as/broken", "GET", "/v1/as/{kind}", 500),
        ("/v1/as/json", "PUT", "/v1/as/{kind}", 405),
        ("/v1/none", "GET", "other", 404),
    ):
        before = counted(route, status)
        messages = asyncio.run(_messages(app, path, method))
        assert messages[0]["status"] == status, path
        assert counted(route, status) == before + 1, path


async def _messages(app: Application, path: str, method: str) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "path": path, "method": method, "headers": [], "query_string": b"",
    }  # fmt: skip
    await app(scope, receive, send)
    return sent
