"""Creates the topics that do not exist, and corrects the settings of the others.

python -m infra.topics 127.0.0.1:9092
"""

from __future__ import annotations

import asyncio
import sys

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from infra.process import StartError
from schemas.topics import TOPICS, Topic

# Records are kept for ever and never compacted; their timestamp is the time of the append.
SETTINGS = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
}
REPLICAS = 3
TOPIC_EXISTS = 36
ATTEMPTS = 100


def create(kafka: str) -> list[str]:
    """Creates missing topics and corrects settings; returns the names of the created topics.

    Raises StartError when Kafka does not answer, a topic cannot be created or has another number of
    partitions than declared, or the broker still reports old settings after ten seconds.
    """
    return asyncio.run(create_all(kafka))


async def create_all(kafka: str) -> list[str]:
    """Like `create`, for callers in an event loop."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka, request_timeout_ms=20_000)
    try:
        await admin.start()
    except KafkaError as error:
        raise StartError(f"kafka: no broker answers at {kafka} ({error})") from None
    try:
        there = set(await admin.list_topics())
        missing = [topic for topic in TOPICS.values() if topic.name not in there]
        if missing:
            await _create(admin, missing)
        await _compare_partitions(admin)
        await _set_differing(admin)
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    brokers = len((await admin.describe_cluster())["brokers"])
    replicas = min(REPLICAS, brokers)
    settings = {**SETTINGS, "min.insync.replicas": str(max(1, replicas - 1))}
    wanted = [
        NewTopic(topic.name, topic.partitions, replicas, topic_configs=settings) for topic in topics
    ]
    answer = await admin.create_topics(wanted)
    for name, code, *_ in answer.topic_errors:
        if code not in (0, TOPIC_EXISTS):
            raise StartError(f"kafka: topic {name} could not be created: {for_code(code).__name__}")


async def _compare_partitions(admin: AIOKafkaAdminClient) -> None:
    """Raises StartError if a topic does not have the declared number of partitions.

    Another number would send a key's records to another partition, out of order.
    """
    for _ in range(ATTEMPTS):
        described = await admin.describe_topics(list(TOPICS))
        if all(entry["error_code"] == 0 for entry in described):
            break
        await asyncio.sleep(0.1)  # a new topic is not known to every broker at once
    for entry in described:
        wanted, found = TOPICS[entry["topic"]].partitions, len(entry["partitions"])
        if wanted != found:
            raise StartError(
                f"kafka: topic {entry['topic']} has {found} partitions, {wanted} are declared in "
                "its topic.json; another number would move keys: declare a new topic instead"
            )


async def _set_differing(admin: AIOKafkaAdminClient) -> None:
    differing = await _differing(admin)
    if not differing:
        return
    await admin.alter_configs(differing)
    for _ in range(ATTEMPTS):
        if not await _differing(admin):
            return
        await asyncio.sleep(0.1)  # the broker gets the controller's change a moment later
    raise StartError(
        "kafka: topic settings were changed, but the broker still reports the old values"
    )


async def _differing(admin: AIOKafkaAdminClient) -> list[ConfigResource]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in TOPICS]
    answers = await admin.describe_configs(resources)
    differing = []
    for answer in answers:
        for _code, _message, _kind, name, entries in answer.resources:
            found = {entry[0]: entry[1] for entry in entries}
            if any(found.get(setting) != value for setting, value in SETTINGS.items()):
                # Kafka replaces all settings: keep the one that depends on the number of brokers.
                kept = {"min.insync.replicas": found["min.insync.replicas"]}
                differing.append(
                    ConfigResource(ConfigResourceType.TOPIC, name, configs={**kept, **SETTINGS})
                )
    return differing


if __name__ == "__main__":
    created = create(sys.argv[1])
    sys.stdout.write(f"{len(created)} created, {len(TOPICS) - len(created)} existed\n")
