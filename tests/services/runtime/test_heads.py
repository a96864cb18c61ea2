"""Does whoever sends a head without an end get memory or time without end? On every service, no."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from infra.home import free_port
from services.http import heads
from services.http.response import OneWriteProtocol

SMALL = b"X-Small: " + b"x" * 50 + b"\r\n"
ENDLESS = {
    "small headers": (b"GET / HTTP/1.1\r\nHost: here\r\n", SMALL),
    "one header": (b"GET / HTTP/1.1\r\nHost: here\r\nX-Large: ", b"x" * 1_000),
    "a path": (b"GET /", b"x" * 1_000),
    "a method": (b"", b"G" * 1_000),
    "empty lines": (b"", b"\r\n" * 500),
    "trailers": (
        b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
        SMALL,
    ),
    "a chunk's extension": (
        b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"x" * 1_000,
    ),
    "behind a request": (
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\nGET / HTTP/1.1\r\nHost: here\r\n",
        SMALL,
    ),
}


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(heads, "UNREAD_SECONDS", 0.5, raising=False)

    async def size(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    async def unread(_: Request) -> Response:
        return PlainTextResponse("whoever asks")

    app = Starlette(
        routes=[
            Route("/", size, methods=["GET", "POST"]),
            Route("/unread", unread, methods=["GET", "POST"]),
        ]
    )
    port = free_port()
    config = uvicorn.Config(app, port=port, http=OneWriteProtocol, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield port
    server.should_exit = True
    await serving


@pytest.mark.parametrize(("begin", "more"), ENDLESS.values(), ids=ENDLESS)
async def test_what_has_no_end_is_ended(port: int, begin: bytes, more: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begin)
    sent = 0
    with suppress(ConnectionError):
        while sent < 2_000_000 and not reader.at_eof():
            writer.write(more)
            sent += len(more)
            await writer.drain()
            await asyncio.sleep(0)
    writer.close()
    assert sent < 1_000_000  # what the sockets between us hold is counted as sent


async def test_a_head_that_is_too_long_is_431(port: int) -> None:
    head = b"GET / HTTP/1.1\r\nHost: here\r\nX-Large: " + b"x" * heads.HEAD_BYTES
    status, problem = await asked(port, head[: heads.HEAD_BYTES])
    assert (status, problem["type"]) == (431, "/problems/request-head-too-large")


async def test_a_head_of_almost_64_kilobytes_is_read(port: int) -> None:
    begin, end = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\nX: ", b"\r\n\r\n"
    head = begin + b"x" * (heads.HEAD_BYTES - len(begin) - len(end) - 1) + end
    assert (await asked(port, head))[0] == 200


@pytest.mark.parametrize("begin", [b"GET / HTTP/1.1\r\nHo", b"G", b"\r\nG"])
async def test_a_head_that_does_not_arrive_is_408(port: int, begin: bytes) -> None:
    status, problem = await asked(port, begin)
    assert (status, problem["type"]) == (408, "/problems/request-timeout")


@pytest.mark.parametrize("begin", [b"", b"\r\n"])
async def test_a_connection_that_asks_nothing_is_closed(port: int, begin: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begin)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_a_second_request_has_its_own_time_and_room(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"GET / HTTP/1.1\r\nHost: here\r\nX: " + b"x" * 50_000 + b"\r\n\r\n"
    for _ in range(4):
        writer.write(head)
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n0"), 30)
        await asyncio.sleep(0.3)
    writer.close()


@pytest.mark.parametrize("blank", [b"\r\n", b"\n\n\n"], ids=["one", "three"])
@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["in one packet", "in a packet of its own"])
async def test_ends_of_lines_between_requests_ask_nothing(
    port: int, blank: bytes, pause: float
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\n\r\nabc"
    for _ in range(2):
        writer.write(request)
        await asyncio.sleep(pause)
        writer.write(blank)
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n3"), 30)
    with pytest.raises(TimeoutError):  # longer than a head may take
        await asyncio.wait_for(reader.read(1), 0.8)
    writer.write(request)
    assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n3"), 30)
    writer.close()


UNREAD = {
    "a declared length": b"GET /unread HTTP/1.1\r\nHost: here\r\nContent-Length: 100000000\r\n\r\n",
    "chunks": b"POST /unread HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
}


@pytest.mark.parametrize("head", UNREAD.values(), ids=UNREAD)
async def test_an_answered_requests_body_holds_no_connection(port: int, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"whoever asks"), 30)

    async def drip() -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.05)

    dripping = asyncio.ensure_future(drip())
    with suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 3) == b""
    dripping.cancel()
    writer.close()


async def test_a_body_that_ends_soon_after_its_answer_leaves_the_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(3):
        writer.write(b"POST /unread HTTP/1.1\r\nHost: here\r\nContent-Length: 20\r\n\r\n1234567890")
        assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"whoever asks"), 30)
        await asyncio.sleep(0.2)
        writer.write(b"1234567890")
        await asyncio.sleep(0.4)
    writer.close()


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
async def test_a_body_however_it_is_cut_is_whole(port: int, chunk: int) -> None:
    size = 300_000 if chunk > 1 else 60_000
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"POST / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
    parts = [b"%x\r\n" % n + b"x" * n + b"\r\n" for n in [chunk] * (size // chunk)]
    writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(parts) + b"0\r\n\r\n")
    found = await asyncio.wait_for(reader.read(), 10)
    assert found.endswith(str(size // chunk * chunk).encode())
    writer.close()


async def asked(port: int, head: bytes) -> tuple[int, dict[str, str]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    found = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    begin, _, body = found.partition(b"\r\n\r\n")
    problem = json.loads(body) if b"problem+json" in begin else {}
    return int(begin.split()[1]), problem
