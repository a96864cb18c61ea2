"""Bytewax: its Kafka input, a map that decodes, a sink of one's own with a transaction a batch.

python -m bytewax.run tests.benchmarks.peers.bytewax_flow
"""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
import psycopg
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from tests.benchmarks.peers import reading
from tests.benchmarks.peers.tables import apply_batch

clock = reading.Clock()


class Part(StatelessSinkPartition[reading.Fact]):
    """One connection."""

    def __init__(self) -> None:
        self._connection = psycopg.connect(reading.POSTGRES, options=reading.OPTIONS)

    def write_batch(self, items: list[reading.Fact]) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            apply_batch(cursor, items)
        if clock.durable(len(items)):
            reading.wait_for_the_end()


class Tables(DynamicSink[reading.Fact]):
    """The tables as a sink."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Part:
        return Part()


def _decoded(message: Any) -> reading.Fact:
    clock.first()
    return reading.decode(message.value)


flow = Dataflow("peer")
read = kafka.input(
    "read", flow, brokers=[reading.KAFKA], topics=reading.TOPICS, tail=False,
    batch_size=reading.BATCH,
)  # fmt: skip
op.output("store", op.map("decode", read.oks, _decoded), Tables())
