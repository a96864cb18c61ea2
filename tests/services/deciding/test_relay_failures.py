"""Does the relay of the outbox go on after a round that failed, whatever failed it?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import psycopg
import pytest

from infra.backend import Endpoints
from schemas.wire import codec
from services.deciding.outbox import OutboxRelay
from services.runtime.producer import KafkaAway, KafkaRecord, Producer
from services.state.migrate import migrate
from tests.services.deciding.test_outbox import ADD, received

pytestmark = [pytest.mark.servers, pytest.mark.timeout(60)]
UNSENT = "select count(*) from hitotsu.outbox where sent_at is null"


class FailsOnce:
    """Takes records as a producer does; the first call fails."""

    def __init__(self, error: Exception) -> None:
        self._errors = [error]

    async def append(self, records: Sequence[KafkaRecord]) -> None:
        if self._errors:
            raise self._errors.pop()


@pytest.mark.parametrize(
    "error", [KafkaAway(), ValueError("too large")], ids=["kafka away", "unforeseen"]
)
async def test_the_relay_goes_on_after_a_failed_round(servers: Endpoints, error: Exception) -> None:
    fact = received("relay-failures", 1)
    value = [fact.TOPIC, b"relay-failures", codec.encode(fact)]
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        migrate(connection)
        connection.execute(ADD, value)
        relay = OutboxRelay(servers.postgres, cast("Producer", FailsOnce(error)))
        await relay.start()
        try:
            async with asyncio.timeout(5):
                while connection.execute(UNSENT).fetchone() != (0,):
                    await asyncio.sleep(0.05)
        finally:
            await relay.stop()
