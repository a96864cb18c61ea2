"""Waits until the read API's answers include all events that were sent."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from psycopg import AsyncConnection

from schemas.topics import TOPICS
from services.demo.common.answers import Answers
from services.demo.common.bars import Lane
from services.demo.shop import names
from services.points.background.sales_feed import TOPICS as TOPICS_OF_POINTS
from services.runtime.config import Settings
from services.runtime.db import conninfo

STANDSTILL_SECONDS = 90.0


# what a program's rules still have to give points for: sales that are due, events not looked at,
# points that are decided and not in the log yet
_UNJUDGED = """
select (select count(*) from hitotsu.points_due where failed is null),
    (select coalesce(sum(ends.next_offset - coalesce(c.next_offset, 0)), 0)::bigint
     from hitotsu.checkpoint ends left join hitotsu.points_cursor c using (topic, partition)
     where ends.grp = %s and ends.topic = any(%s)),
    (select count(*) from hitotsu.points_awaited)
"""


class StandsStill(Exception):
    """Nothing has changed for 90 seconds."""


async def judged(settings: Settings) -> None:
    """Returns when the rules of programs have given points for all sales that were applied.

    Raises `StandsStill` when nothing more is judged.
    """
    where = conninfo(settings.postgres, group=settings.group, name="demo")
    which = [settings.group, list(TOPICS_OF_POINTS)]
    seen: object = None
    since = time.monotonic()
    async with await AsyncConnection.connect(where, autocommit=True) as connection:
        while True:
            left = await (await connection.execute(_UNJUDGED, which)).fetchone()
            if left is not None and not any(left):
                return
            if left != seen:
                seen, since = left, time.monotonic()
            elif time.monotonic() - since > STANDSTILL_SECONDS:
                due, events, decided = left or (0, 0, 0)
                raise StandsStill(
                    f"points by rules: no progress for {STANDSTILL_SECONDS:.0f} s, "
                    f"{due} sales are due, {events} events were not looked at, and "
                    f"{decided} decided entries were not applied"
                )
            await asyncio.sleep(0.1)


async def log_ends(kafka: str) -> dict[str, int]:
    """The end offset of every partition that has records."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic.name, partition)
            for topic in TOPICS.values()
            for partition in range(topic.partitions)
        ]
        ends = await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    return {f"{each.topic}-{each.partition}": end for each, end in ends.items() if end}


def routes(customer: int, item: int) -> list[str]:
    """Routes that together read all projections that the demo asks, in Postgres and in Redis."""
    member = f"/v1/members/{names.profile(names.EC, customer)}"
    return [
        "/v1/members",
        "/v1/stock",
        "/v1/inquiries",
        "/v1/terminals/gaps",
        "/v1/discrepancies",
        f"/v1/stock/{names.sku(item)}",
        f"{member}/points",
        f"{member}/purchases",
        f"{member}/suppressions",
    ]


async def caught_up(
    answers: Answers, routes: Sequence[str], ends: dict[str, int], lane: Lane
) -> None:
    """Returns when all routes answer with a position at or beyond `ends` and no lag.

    Raises `StandsStill` when a route is not there yet and no route makes progress.
    """
    for route in routes:
        await _shows(answers, route, ends, routes)
        lane.moved(1)


async def _shows(answers: Answers, route: str, ends: dict[str, int], routes: Sequence[str]) -> None:
    seen: object = None
    since = time.monotonic()
    while True:
        answer = await answers.raw("GET", route, params={"min_position": json.dumps(ends)})
        if answer.status_code == httpx.codes.OK and answer.json()["lag"]["events"] == 0:
            return
        if answer.status_code not in (httpx.codes.OK, httpx.codes.GATEWAY_TIMEOUT):
            raise answers.unanswered(answer)
        # The lag of a route is about the topics that it uses; a position waits for all topics.
        behind = [(await answers.envelope("GET", one))["lag"] for one in routes]
        if behind != seen:
            seen, since = behind, time.monotonic()
        elif time.monotonic() - since > STANDSTILL_SECONDS:
            lags = dict(zip(routes, (lag["events"] for lag in behind), strict=True))
            raise StandsStill(f"{route}: no progress for {STANDSTILL_SECONDS:.0f} s, lag {lags}")
        await asyncio.sleep(0.1)
