"""What if the answer to COMMIT never arrives? A proxy before Postgres that loses it.

It passes everything on, reads the server's side, and hangs up when the server says that a
transaction that wrote rows is committed: they are in, and whoever wrote them does not know. A
transaction that only read loses nothing, so its answer is not worth a cut.
"""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"
# CommandComplete of a statement that wrote rows: type, length in four bytes, tag
WROTE = re.compile(rb"C\x00\x00\x00.(?:INSERT 0|UPDATE|DELETE|COPY|MERGE) [1-9]", re.DOTALL)
LONGEST = 32
PROJECTOR = b"hitotsu-projector\x00"
CHUNK, GREETING, EVERY = 1 << 16, 1 << 10, 2


@dataclass(slots=True)
class Connection:
    """What is known of one client."""

    projector: bool = False


class Cutting:
    """Listens on a port of its own; cuts every second COMMIT of rows of the projectors, so many."""

    def __init__(self, postgres: str, many: int) -> None:
        self._target, self.left = urlsplit(postgres), many
        self.many, self.cut, self._seen = many, 0, 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    @property
    def url(self) -> str:
        """Postgres as seen from this side."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        user = self._target.netloc.rpartition("@")[0]
        return urlunsplit(self._target._replace(netloc=f"{user}@127.0.0.1:{port}"))

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, "127.0.0.1", 0)
        )
        self._ready.set()
        self._loop.run_forever()
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()

    async def _connected(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        try:
            server, to_server = await asyncio.open_connection(
                self._target.hostname, self._target.port
            )
        except OSError:
            to_client.close()
            return
        one = Connection()
        up = asyncio.create_task(_pass_on(client, to_server, one))
        try:
            await self._answers(server, to_client, one)
        except OSError:
            pass
        finally:
            up.cancel()
            to_client.transport.abort()
            to_server.close()

    async def _answers(
        self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, one: Connection
    ) -> None:
        tail, wrote = b"", False
        while chunk := await server.read(CHUNK):
            if one.projector:
                known = tail + chunk
                wrote = wrote or WROTE.search(known) is not None
                if COMMITTED in known:
                    self._seen += wrote
                    if wrote and self.left and self._seen % EVERY == 0:
                        self.left -= 1
                        self.cut += 1
                        return
                    wrote, known = False, b""
                tail = known[-LONGEST:]
            to_client.write(chunk)
            await to_client.drain()


async def _pass_on(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, one: Connection
) -> None:
    greeting = b""
    try:
        while chunk := await source.read(CHUNK):
            if len(greeting) < GREETING:
                # what asks for encryption comes before the name
                greeting += chunk[:GREETING]
                one.projector = PROJECTOR in greeting
            sink.write(chunk)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()
