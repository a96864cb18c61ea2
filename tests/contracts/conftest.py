"""A topic of our events, one of each kind, and a registry that knows their schemas."""

import asyncio
from dataclasses import dataclass
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infra.backend import Endpoints
from schemas.generated.events import Event
from schemas.generated.inputs import INPUTS, example, parse, to_event
from schemas.tools import registry as schema_registry
from schemas.wire import codec
from tests.schemas.sealers import OpenSealer


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, where, and how to get at it."""

    kafka: str
    registry: str
    topic: str
    events: list[Event]


@pytest.fixture(scope="session")
def written(servers: Endpoints, registry: str) -> Written:
    schema_registry.apply(registry)
    events = [to_event(parse(example(name)), OpenSealer()) for name in INPUTS]
    topic = f"contracts.{uuid4().hex[:8]}"
    asyncio.run(_write(servers.kafka, topic, events))
    return Written(servers.kafka, registry, topic, events)


async def _write(kafka: str, topic: str, events: list[Event]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", compression_type="lz4")
    await producer.start()
    for event in events:
        await producer.send(
            topic, codec.encode(event), key=codec.key_of(event), headers=codec.headers_of(event)
        )
    await producer.stop()
