"""A Confluent deserializer, which knows nothing of us, reads our topics through the registry."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from schemas.generated.records import TO_RECORD
from schemas.history.releases import releases
from schemas.tools import golden_bytes
from schemas.wire import codec
from tests.contracts.conftest import Written

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def client(written: Written) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": written.registry, "timeout": 5}) as made:
        yield made


@pytest.fixture(scope="module")
def deserialize(client: SchemaRegistryClient) -> AvroDeserializer:
    made: AvroDeserializer = AvroDeserializer(client, conf={"subject.name.strategy.type": "TOPIC"})
    return made


def test_every_event_of_a_topic_is_read(written: Written, deserialize: AvroDeserializer) -> None:
    expected = {codec.encode(event): TO_RECORD[event.NAME](event) for event in written.events}
    read = _values(written)
    assert sorted(read) == sorted(expected)
    context = SerializationContext(written.topic, MessageField.VALUE)
    for value in read:
        assert deserialize(value, context) == expected[value]


def test_every_golden_value_is_read(written: Written, deserialize: AvroDeserializer) -> None:
    for item in golden_bytes.corpus():
        topic = item.release.subject.split("-hitotsu.")[0]
        context = SerializationContext(topic, MessageField.VALUE)
        assert golden_bytes.plain(deserialize(item.value, context)) == item.says


def test_the_registry_knows_every_schema_by_its_text(client: SchemaRegistryClient) -> None:
    for release in releases():
        held = client.get_version(release.subject, release.version)
        assert held.schema_id == release.id


def _values(written: Written) -> list[bytes]:
    settings: dict[str, Any] = {
        "bootstrap.servers": written.kafka,
        "group.id": uuid4().hex,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    consumer = Consumer(settings)
    consumer.subscribe([written.topic])
    values: list[bytes] = []
    while len(values) < len(written.events):
        message = consumer.poll(30)
        assert message is not None, f"only {len(values)} records came"
        assert message.error() is None
        values.append(message.value() or b"")
    consumer.close()
    return values
