"""Does every decided fact get into the log, in order, whoever dies and whoever commits late?"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from uuid import NAMESPACE_OID, uuid4, uuid5

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from infra import topics
from infra.backend import Endpoints
from schemas.generated.events import StockReceived
from schemas.generated.events.parts import Meta, Producer
from schemas.topics import TOPICS
from schemas.wire import codec
from services.state.migrate import migrate

pytestmark = [pytest.mark.servers, pytest.mark.timeout(200)]
TOPIC, SKUS, PRODUCER = "commerce.inventory", 7, Producer(system="relay-of-a-test", channel="OTHER")
ADD = """
insert into hitotsu.outbox (topic, record_key, record_value) values (%s, %s, %s)
"""
RELAY = """
import asyncio, sys
from services.deciding.outbox import OutboxRelay
from services.runtime.producer import Producer

async def main():
    producer = Producer(sys.argv[2], client_id="relay-of-a-test")
    await producer.start()
    await OutboxRelay(sys.argv[1], producer).start()
    await asyncio.sleep(600)

asyncio.run(main())
"""


def relay(servers: Endpoints) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", RELAY, servers.postgres, servers.kafka],
        env={**os.environ, "PYTHONPATH": os.getcwd()}, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def received(sku: str, number: int) -> StockReceived:
    meta = Meta(
        event_id=uuid5(NAMESPACE_OID, f"{sku}|{number}").bytes, occurred_at=0, producer=PRODUCER
    )
    return StockReceived(meta=meta, sku=sku, location_id="W1", quantity=number + 1)


def filling(dsn: str, run: str, worker: int, many: int, ending: threading.Event) -> None:
    """Transactions of a few rows about one item; some stay open for a while, with low ids."""
    chance = random.Random(worker)
    with psycopg.connect(dsn) as connection:
        for number in range(many):
            fact = received(f"{run}-{worker}", number)
            connection.execute(ADD, [fact.TOPIC, codec.key_of(fact), codec.encode(fact)])
            if chance.random() < 0.1:
                time.sleep(chance.uniform(0.0, 0.3))
            if chance.random() < 0.5:
                connection.commit()
            if ending.is_set():
                break


def logged(kafka: str, run: str) -> dict[bytes, list[bytes]]:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": run, "enable.auto.commit": False})
    found: dict[bytes, list[bytes]] = {}
    try:
        for partition in range(TOPICS[TOPIC].partitions):
            _, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=10)
            consumer.assign([TopicPartition(TOPIC, partition, 0)])
            at = 0
            while at < end:
                for message in consumer.consume(min(1_000, end - at), 1.0):
                    at = int(message.offset() or 0) + 1
                    key = message.key() or b""
                    if isinstance(key, bytes) and key.startswith(run.encode()):
                        value = bytes(message.value() or b"")
                        assert message.headers() == codec.headers_of(codec.decode(value))
                        found.setdefault(key, []).append(value)
    finally:
        consumer.close()
    return found


@pytest.mark.parametrize("kills", [4, pytest.param(30, marks=pytest.mark.long)])
def test_killed_again_and_again_the_log_has_every_fact_in_its_order(
    servers: Endpoints, kills: int
) -> None:
    topics.create(servers.kafka)
    run, many, ending = uuid4().hex[:8], 30 * kills, threading.Event()
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        migrate(connection)
    fillers = [
        threading.Thread(target=filling, args=[servers.postgres, run, n, many, ending])
        for n in range(SKUS)
    ]
    for filler in fillers:
        filler.start()
    chance = random.Random(kills)
    running = [relay(servers), relay(servers)]
    try:
        for _ in range(kills):
            time.sleep(chance.uniform(0.8, 1.6))
            victim = chance.randrange(2)
            running[victim].send_signal(signal.SIGKILL)
            running[victim].wait()
            running[victim] = relay(servers)
        for filler in fillers:
            filler.join(120)
        _until_sent(servers.postgres)
    finally:
        ending.set()
        for process in running:
            process.kill()
            process.wait()
    found = logged(servers.kafka, run)
    assert len(found) == SKUS
    for key, values in found.items():
        first = list(dict.fromkeys(values))  # a fact sent twice counts where it came first
        assert first == [codec.encode(received(key.decode(), n)) for n in range(many)]


def _until_sent(dsn: str) -> None:
    deadline = time.monotonic() + 60
    with psycopg.connect(dsn, autocommit=True) as connection:
        while connection.execute("select 1 from hitotsu.outbox where sent_at is null").fetchone():
            assert time.monotonic() < deadline, "facts stay in the outbox"
            time.sleep(0.2)
