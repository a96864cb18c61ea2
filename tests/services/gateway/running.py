"""A gateway of its own for a test: a real process before real servers, and a reader of the log."""

from __future__ import annotations

import base64
import copy
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition
from nacl.public import PrivateKey

from infra.home import free_port
from infra.topics import create as create_topics
from schemas.generated.inputs import example
from schemas.rights import Role
from services.runtime.tokens import register
from services.sdk import uuid7
from services.state.migrate import migrate
from tests.forks import start

PRODUCER = ("events:write", "channel:*", "system:*", "store:*")
SCOPES = {
    "till": ("events:write", "channel:STORE", "system:pos", "store:*"),
    "bulk": PRODUCER,
    "app": ("members:read",),
    "operator": (*PRODUCER, "operations"),
}
ROLES: dict[str, Role] = {"till": "till", "bulk": "operations", "operator": "operations"}
TOKENS = {name: f"hitotsu_test_of_the_gateway_{name}" for name in SCOPES}
PRIVATE_KEY = PrivateKey(bytes(range(32)))


def environment(servers: Any) -> dict[str, str]:
    """What a process of this test needs to know; the keys are the test's own."""
    key = base64.b64encode(bytes(range(32))).decode()
    names = ("KEY_ENCRYPTION_KEY", "BLIND_INDEX_KEY", "GATEWAY_PRIVATE_KEY")
    return {**servers.environment(), **{f"HITOTSU_{name}": key for name in names}}


def prepare(servers: Any) -> None:
    """Tables, tokens and topics; may be done any number of times."""
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        migrate(connection)
        for name, scopes in SCOPES.items():
            register(connection, f"test-{name}", scopes, TOKENS[name], ROLES.get(name))
    create_topics(servers.kafka)


class Gateway:
    """`python -m services.gateway` on a free port."""

    def __init__(self, servers: Any, **settings: str) -> None:
        self.servers = servers
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = settings
        self._log = tempfile.NamedTemporaryFile(prefix="gateway", suffix=".log")  # noqa: SIM115
        self.http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def start(self) -> None:
        env = {**os.environ, **environment(self.servers), **self._settings}
        env |= {"HITOTSU_PORT": str(self.port)}
        self.process = start("services.gateway", env=env, output=self._log)
        until(lambda: self.http.get("/livez").status_code == 200, 30)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop(signal.SIGKILL)
        self.http.close()
        self._log.close()

    def post(self, body: Any, token: str = "bulk", **headers: str) -> httpx.Response:
        """Sends bytes as they are and everything else as JSON."""
        told = {"Authorization": f"Bearer {TOKENS[token]}", **headers}
        told = {name.replace("_", "-"): value for name, value in told.items()}
        if not isinstance(body, bytes | Iterator):
            return self.http.post("/v1/events", json=body, headers=told)
        told.setdefault("Content-Type", "application/json")
        return self.http.post("/v1/events", content=body, headers=told)

    def log(self) -> str:
        return Path(self._log.name).read_text("utf-8")


def until(done: Any, seconds: float = 20.0, pause: float = 0.05) -> None:
    """Waits until something holds; a refused connection counts as "not yet"."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if done():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(pause)


def event(name: str = "PurchaseCompleted", /, **changes: Any) -> dict[str, Any]:
    """The example of an event, with an id of its own."""
    made = copy.deepcopy(example(name))
    made["meta"]["event_id"] = uuid7()
    made.update(changes)
    return made


def record_at(servers: Any, topic: str, partition: int, offset: int) -> Any:
    """One record, read by another client library."""
    (record,) = records(servers, topic, {partition: offset}, most=1)
    return record


def ends(servers: Any, topic: str) -> dict[int, int]:
    """The next offset of each partition."""
    consumer = open_consumer(servers)
    try:
        return ends_by(consumer, topic)
    finally:
        consumer.close()


def ends_by(consumer: Consumer, topic: str) -> dict[int, int]:
    """The next offset of each partition, asked by a consumer that may ask again."""
    found: dict[int, int] = {}

    def known() -> bool:
        # A partition has no leader for a moment after its topic or its broker has come up.
        try:
            for each in consumer.list_topics(topic, 10).topics[topic].partitions:
                found[each] = consumer.get_watermark_offsets(TopicPartition(topic, each), 10)[1]
        except KafkaException:
            return False
        return bool(found)

    until(known)
    return found


def records(servers: Any, topic: str, start: dict[int, int], most: int = 0) -> list[Any]:
    """What the log holds from these offsets on, up to its present end."""
    last = ends(servers, topic)
    wanted = sum(max(0, last[each] - offset) for each, offset in start.items())
    wanted = min(wanted, most) if most else wanted
    consumer = open_consumer(servers)
    consumer.assign([TopicPartition(topic, each, offset) for each, offset in start.items()])
    found: list[Any] = []
    deadline = time.monotonic() + 30
    while len(found) < wanted:
        assert time.monotonic() < deadline, f"{len(found)} of {wanted} records read"
        found += [each for each in consumer.consume(wanted - len(found), 0.5) if not each.error()]
    consumer.close()
    return found


def open_consumer(servers: Any) -> Consumer:
    options = {
        "bootstrap.servers": servers.kafka,
        "group.id": "reader",
        "isolation.level": "read_committed",
    }
    return Consumer({**options, "enable.auto.commit": False, "auto.offset.reset": "earliest"})
