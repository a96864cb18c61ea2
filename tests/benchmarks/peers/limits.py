"""How fast could anything in Python be that reads this log? It stores next to nothing.

python -m tests.benchmarks.peers.limits consume|decode|copy
"""

from __future__ import annotations

import sys

import psycopg
from confluent_kafka import Consumer, TopicPartition

from schemas.topics import TOPICS as DECLARED
from tests.benchmarks.peers import reading

POLLED = 10_000


def main(mode: str) -> None:
    """Bytes alone; decoded; decoded and copied into a table without index and log."""
    connection = psycopg.connect(reading.POSTGRES, options=reading.OPTIONS)
    consumer = Consumer(
        {
            "bootstrap.servers": reading.KAFKA, "group.id": "limits", "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "queued.max.messages.kbytes": 65_536,
        }
    )  # fmt: skip
    consumer.assign(
        [
            TopicPartition(name, number, 0)
            for name in reading.TOPICS
            for number in range(DECLARED[name].partitions)
        ]
    )
    clock, ended = reading.Clock(), False
    while not ended:
        messages = consumer.consume(POLLED, 0.2)
        if not messages:
            continue
        clock.first()
        values = [message.value() for message in messages]
        if mode != "consume":
            facts = [reading.decode(value) for value in values]
        if mode == "copy":
            lines = [f"{fact[0]}\t{fact[1]}\t{fact[2]}\t{fact[3]}\n" for fact in facts]
            with (
                connection.transaction(),
                connection.cursor() as cursor,
                cursor.copy("copy copied from stdin") as copy,
            ):
                copy.write("".join(lines))
        ended = clock.durable(len(values))
    reading.wait_for_the_end()


if __name__ == "__main__":
    main(sys.argv[1])
