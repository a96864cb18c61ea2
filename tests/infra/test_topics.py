"""The topics job: run it as often as you like, it leaves what the design asks for."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from infra.process import StartError
from infra.stack import Stack
from infra.topics import SETTINGS, create
from schemas.topics import TOPICS

pytestmark = pytest.mark.servers


@pytest.fixture
def kafka(own_stack: Stack) -> str:
    return own_stack.start_servers().kafka


async def settings(kafka: str, topic: str) -> dict[str, str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}
    finally:
        await admin.close()


async def alter(kafka: str, topic: str, changes: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=changes)
        await admin.alter_configs([resource])
        async with asyncio.timeout(20):  # the broker hears of it after the controller
            while not (await settings(kafka, topic)).items() >= changes.items():
                await asyncio.sleep(0.1)
    finally:
        await admin.close()


async def widen(kafka: str, topic: str, partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(partitions)})
        async with asyncio.timeout(20):  # the broker hears of it after the controller
            while len((await admin.describe_topics([topic]))[0]["partitions"]) != partitions:
                await asyncio.sleep(0.1)
    finally:
        await admin.close()


def test_all_topics_are_created_once_and_kept_for_ever(kafka: str) -> None:
    assert sorted(create(kafka)) == sorted(TOPICS)
    assert create(kafka) == []
    for topic in TOPICS:
        found = asyncio.run(settings(kafka, topic))
        assert {name: found[name] for name in SETTINGS} == SETTINGS


def test_a_setting_somebody_changed_is_set_right(kafka: str) -> None:
    create(kafka)
    asyncio.run(alter(kafka, "commerce.points", {"retention.ms": "1000"}))
    assert create(kafka) == []
    assert asyncio.run(settings(kafka, "commerce.points"))["retention.ms"] == "-1"


def test_a_topic_with_another_number_of_partitions_is_refused_because_keys_would_move(
    kafka: str,
) -> None:
    create(kafka)
    wider = TOPICS["commerce.contacts"].partitions + 1
    asyncio.run(widen(kafka, "commerce.contacts", wider))
    with pytest.raises(StartError, match=f"commerce.contacts has {wider} partitions"):
        create(kafka)


def test_a_broker_that_is_not_there_is_named(own_stack: Stack) -> None:
    with pytest.raises(StartError, match=r"no broker answers at 127\.0\.0\.1:1"):
        create("127.0.0.1:1")
