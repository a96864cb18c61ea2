"""What does a caller wait? Requests at a steady rate, or as many as go, in a process of their own.

    python -m tests.benchmarks.freshness.asking PLAN OUT

PLAN is JSON: url, requests by kind (base64), rate (0: one after the other on every connection),
seconds, connections; with `once`, what was asked is not asked again. OUT gets milliseconds by kind,
and how many were not answered as they should. A wait counts from the moment at which a request was
due, not from when there was time to send it.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import itertools
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from tests.benchmarks.freshness.http import Connection, connect

Ask = tuple[str, bytes]


class Asking:
    """Connections, and what was measured over them."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self.waits: dict[str, list[float]] = defaultdict(list)
        self.refused: dict[str, str] = {}
        self.seconds = 0.0

    async def run(self) -> None:
        """Until the plan's seconds are over and every answer is there."""
        many = self._plan["connections"]
        connections = [await connect(self._plan["url"]) for _ in range(many)]
        asks, began = self._asks(), time.perf_counter()
        if self._plan["rate"]:
            await self._steadily(connections, asks)
        else:
            end = began + self._plan["seconds"]
            await asyncio.gather(*(self._on_and_on(each, asks, end) for each in connections))
        self.seconds = time.perf_counter() - began
        for each in connections:
            each.close()

    def _asks(self) -> Iterator[Ask]:
        """One of each kind in turn, for ever, or until one kind has been asked once."""
        again = iter if self._plan.get("once") else itertools.cycle
        kinds = {
            kind: again([base64.b64decode(text) for text in texts])
            for kind, texts in self._plan["requests"].items()
        }
        while True:
            for kind, requests in kinds.items():
                if (request := next(requests, None)) is None:
                    return
                yield kind, request

    async def _steadily(self, connections: list[Connection], asks: Iterator[Ask]) -> None:
        due: asyncio.Queue[tuple[float, Ask] | None] = asyncio.Queue()
        workers = [asyncio.create_task(self._whenever_due(each, due)) for each in connections]
        began, between = time.perf_counter(), 1 / self._plan["rate"]
        for number in range(int(self._plan["seconds"] * self._plan["rate"])):
            at = began + number * between
            if (left := at - time.perf_counter()) > 0:
                await asyncio.sleep(left)
            due.put_nowait((at, next(asks)))
        for _ in workers:
            due.put_nowait(None)
        await asyncio.gather(*workers)

    async def _whenever_due(
        self, connection: Connection, due: asyncio.Queue[tuple[float, Ask] | None]
    ) -> None:
        while (wanted := await due.get()) is not None:
            await self._ask(connection, *wanted)

    async def _on_and_on(self, connection: Connection, asks: Iterator[Ask], end: float) -> None:
        while (now := time.perf_counter()) < end and (ask := next(asks, None)) is not None:
            await self._ask(connection, now, ask)

    async def _ask(self, connection: Connection, at: float, ask: Ask) -> None:
        kind, request = ask
        status, body = await connection.ask(request)
        self.waits[kind].append(1_000 * (time.perf_counter() - at))
        if status not in (200, 201, 202):
            self.refused.setdefault(kind, f"{status} {body[:300]!r}")


def main(plan: str, out: str) -> None:
    gc.disable()
    asking = Asking(json.loads(Path(plan).read_text("utf-8")))
    uvloop.run(asking.run())
    found = {"waits": asking.waits, "refused": asking.refused, "seconds": asking.seconds}
    Path(out).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
