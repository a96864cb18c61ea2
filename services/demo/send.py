"""Sends the demo's events: of tills and web shop over HTTP, all others by the bulk loader."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.progress import Progress

from services.bulk import BulkProducer
from services.demo.common.bars import Lane
from services.demo.shop import Json
from services.demo.shop.rows import Rows
from services.demo.shop.streams import Stream, bulk, tills, web_shop
from services.runtime.config import Settings
from services.sdk import AsyncClient

BATCH = 500


class NotAccepted(Exception):
    """The product refused an event of the demo; the text names field and reason."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends the demo's events."""

    rows: Rows
    settings: Settings
    gateway: str
    tokens: Mapping[str, str]
    progress: Progress

    async def everything(self) -> int:
        """Sends all events; returns how many were accepted.

        Raises `NotAccepted`; for events by HTTP as part of an ExceptionGroup.
        """
        sent = 0
        for stream in bulk(self.rows):
            async with BulkProducer(self.settings, role=stream.role) as producer:
                sent += await self._in_bulk(producer, stream)
        return sent + await self._by_http()

    async def _in_bulk(self, producer: BulkProducer, stream: Stream) -> int:
        lane = Lane(self.progress, stream.name, stream.size)
        events = (event for moment in stream.moments for event in moment)
        counts = await producer.send(events, progress=lambda count: lane.moved(count, count))
        lane.done()
        if counts.rejected:
            (field, reason), count = counts.reasons.most_common(1)[0]
            raise NotAccepted(f"{stream.name}: {count} events: {field}: {reason}")
        return counts.accepted

    async def _by_http(self) -> int:
        shops = tills(self.rows)
        web = web_shop(self.rows)
        at_tills = Lane(self.progress, "15 tills", sum(till.size for till in shops))
        on_web = Lane(self.progress, web.name, web.size)
        async with asyncio.TaskGroup() as group:
            sending = [
                group.create_task(self._producer(stream, self.tokens[stream.role], lane))
                for stream, lane in (*((till, at_tills) for till in shops), (web, on_web))
            ]
        at_tills.done()
        on_web.done()
        return sum(task.result() for task in sending)

    async def _producer(self, stream: Stream, token: str, lane: Lane) -> int:
        """Sends one stream (a till or the web shop) in order; returns how many were accepted."""
        sent = 0
        async with AsyncClient(self.gateway, token) as client:
            for moments, events in _batches(stream):
                results = await client.send(events)
                refused = results.of("rejected")
                if refused:
                    first = refused[0]
                    kind = events[first.index]["type"]
                    raise NotAccepted(f"{stream.name}: {kind}: {first.field}: {first.reason}")
                sent += results.accepted
                lane.moved(moments, len(events))
        return sent


def _batches(stream: Stream) -> Iterator[tuple[int, list[Json]]]:
    """Batches of a stream, with their number of moments; a moment is never divided."""
    moments = 0
    batch: list[Json] = []
    for moment in stream.moments:
        if len(batch) + len(moment) > BATCH:
            yield moments, batch
            moments, batch = 0, []
        moments += 1
        batch += moment
    if batch:
        yield moments, batch
