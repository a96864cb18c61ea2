"""Is the age of what is read told right?"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from tests.benchmarks.freshness import figures
from tests.benchmarks.freshness.http import connect, request
from tests.benchmarks.freshness.watching import Seen, ages

PLACE = ("commerce.points", 0)


def test_an_event_is_seen_once_its_position_has_passed_it(tmp_path: Path) -> None:
    seen = Seen()
    for offset, at in ((10, 1.0), (10, 1.1), (12, 1.5)):
        seen.note(PLACE, offset, at)
    placed = tmp_path / "placed"
    placed.write_text("\n".join(json.dumps([*PLACE, offset, 900]) for offset in (9, 10, 11, 12)))
    assert ages(seen, placed) == ([100.0, 600.0, 600.0], 1)


def test_one_wait_in_a_hundred_is_beyond_p99() -> None:
    told = figures.waits([float(number) for number in range(1_000)])
    assert (told["p50"], told["p99"], told["worst"], told["many"]) == (500.0, 990.0, 999.0, 1_000)


async def test_a_connection_is_asked_again_and_again() -> None:
    bodies: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(2):
            await reader.readuntil(b"\r\n\r\n")
            bodies.append(await reader.readexactly(len(b'{"a": 1}')))
            writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1\r\n\r\n")
            writer.write(b"%d" % number)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    connection = await connect(url)
    asked = request("POST", url, "/", "token", {"a": 1})
    assert [await connection.ask(asked) for _ in range(2)] == [(202, b"0"), (202, b"1")]
    assert bodies == [b'{"a": 1}'] * 2
    connection.close()
    server.close()
    await server.wait_closed()
