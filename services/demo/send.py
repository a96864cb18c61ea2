"""Sends the demo's events: of tills and web shop over HTTP, all others by the bulk loader."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from rich.progress import Progress

from services.bulk import BulkProducer
from services.demo.common.bars import Lane
from services.demo.shop import Json
from services.demo.shop.clocks import RIGHT, TillClocks
from services.demo.shop.rows import Rows
from services.demo.shop.streams import Stream, bulk, deliveries, tills, web_shop
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
        events = (event for moment in stream.moments for event in moment.events)
        counts = await producer.send(events, progress=lambda count: lane.moved(count, count))
        lane.done()
        if counts.rejected:
            (field, reason), count = counts.reasons.most_common(1)[0]
            raise NotAccepted(f"{stream.name}: {count} events: {field}: {reason}")
        return counts.accepted

    async def _by_http(self) -> int:
        shops, web, leaving = tills(self.rows), web_shop(self.rows), deliveries(self.rows)
        at_tills = Lane(self.progress, "15 tills", sum(till.size for till in shops))
        on_web = Lane(self.progress, web.name, web.size)
        of_orders = Lane(self.progress, "deliveries", sum(stream.size for stream in leaving))
        lanes = [
            *((stream, at_tills) for stream in shops),
            (web, on_web),
            *((stream, of_orders) for stream in leaving),
        ]
        async with asyncio.TaskGroup() as group:
            sending = [
                group.create_task(self._producer(stream, self.tokens[stream.role], lane))
                for stream, lane in lanes
            ]
        for lane in (at_tills, on_web, of_orders):
            lane.done()
        return sum(task.result() for task in sending)

    async def _producer(self, stream: Stream, token: str, lane: Lane) -> int:
        """Sends one stream in order; returns how many were accepted."""
        sent, clocks = 0, TillClocks()
        async with AsyncClient(self.gateway, token, clocks=clocks) as client:
            for request in _requests(stream):
                clocks.ahead = request.ahead
                results = await client.send(request.events)
                refused = results.of("rejected")
                if refused:
                    first = refused[0]
                    kind = request.events[first.index]["type"]
                    raise NotAccepted(f"{stream.name}: {kind}: {first.field}: {first.reason}")
                sent += results.accepted
                lane.moved(request.moments, len(request.events))
        return sent


@dataclass(slots=True)
class _DemoRequest:
    """Events that are sent in one request. `ahead`: how far the sender's clock is ahead."""

    ahead: timedelta
    moments: int
    events: list[Json]


def _requests(stream: Stream) -> Iterator[_DemoRequest]:
    """The requests of a stream: a moment is never divided, and each is told by one clock."""
    request = _DemoRequest(RIGHT, 0, [])
    for moment in stream.moments:
        full = len(request.events) + len(moment.events) > BATCH
        if request.events and (full or moment.ahead != request.ahead):
            yield request
            request = _DemoRequest(moment.ahead, 0, [])
        request.ahead = moment.ahead
        request.moments += 1
        request.events += moment.events
    if request.events:
        yield request
