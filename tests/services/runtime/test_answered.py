"""Does an answer leave whole, in as few writes as it can?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from infra.home import free_port
from services.http.response import OneWrite, OneWriteProtocol

TOLD = "one balance"


class Writes(asyncio.Transport):
    """What was written, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True


async def test_a_head_waits_for_its_body_but_for_no_later_one() -> None:
    under = Writes()
    transport = OneWrite(under)
    transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
    assert under.written == []
    transport.write(b"body")
    assert under.written == [b"HTTP/1.1 200 OK\r\n\r\nbody"]
    transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    await asyncio.sleep(0)
    assert under.written[1:] == [b"HTTP/1.1 204 No Content\r\n\r\n"]
    transport.write(b"chunk")
    assert under.written[2:] == [b"chunk"]


async def test_a_head_is_written_before_the_end() -> None:
    under = Writes()
    transport = OneWrite(under)
    transport.write(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")
    transport.close()
    assert (under.written, under.closed) == ([b"HTTP/1.1 500 Internal Server Error\r\n\r\n"], True)
    await asyncio.sleep(0)
    assert len(under.written) == 1


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async def whole(_request: Request) -> Response:
        return PlainTextResponse(TOLD)

    async def slowly(_request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            for word in TOLD.split(" "):
                yield word.encode()
                await asyncio.sleep(0.01)

        return StreamingResponse(parts())

    app = Starlette(routes=[Route("/whole", whole), Route("/slowly", slowly)])
    port = free_port()
    config = uvicorn.Config(app, port=port, http=OneWriteProtocol, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield port
    server.should_exit = True
    await serving


async def _asked(port: int, *requests: str) -> bytes:
    """Everything that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = _with_close(requests)
    writer.write(
        "".join(f"{line} HTTP/1.1\r\nHost: here\r\n{end}\r\n" for line, end in lines).encode()
    )
    found = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return found


def _with_close(requests: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    yield from ((request, "") for request in requests[:-1])
    yield requests[-1], "Connection: close\r\n"


async def test_answers_follow_each_other_whole_with_and_without_a_body(port: int) -> None:
    found = await _asked(port, "GET /whole", "HEAD /whole", "GET /nowhere", "GET /whole")
    first, second, third, fourth = found.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200 OK")
    assert first.endswith(TOLD.encode())
    assert second.startswith(b"200 OK")
    assert second.endswith(b"\r\n\r\n")
    assert third.startswith(b"404")
    assert fourth.endswith(TOLD.encode())


async def test_what_is_told_in_parts_arrives_in_parts(port: int) -> None:
    found = await _asked(port, "GET /slowly")
    assert found.endswith(b"3\r\none\r\n7\r\nbalance\r\n0\r\n\r\n")
