"""Whatever order partitions are read in, and however batches are cut, the same rows come out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infra.backend import Endpoints
from projections.core.memory import Memory
from schemas.wire.codec import key_of
from tests.drawn import examples
from tests.projections.driving import Engine, Log, place_of
from tests.projections.histories import Sent, histories, interleaved

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
DRAWN = 200


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


@settings(
    max_examples=examples(DRAWN), deadline=None, print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(history=histories(), one=st.integers(0, 1 << 32), other=st.integers(0, 1 << 32))
def test_two_interleavings_give_the_same_rows_in_every_projection(
    engine: Engine, history: list[Sent], one: int, other: int
) -> None:
    expected = _remembered(engine, history)
    for seed in (one, other):
        counted = _applied(engine, interleaved(history, seed), seed)
        for table in engine.group.tables:
            assert engine.rows(table) == expected[table.name], table.name
        assert counted["next_offset"] == len(history)
        assert counted["applied"] == len({sent.of for sent in history})


def _remembered(engine: Engine, history: list[Sent]) -> dict[str, Any]:
    memory = Memory(engine.group)
    for sent in history:
        place = place_of(sent.event.TOPIC, key_of(sent.event))
        memory.take(sent.event, engine.source(*place))
    return {table.name: memory.table(table) for table in engine.group.tables}


def _applied(engine: Engine, sent: list[Sent], seed: int) -> dict[str, int]:
    chance, log = random.Random(seed), Log()
    engine.reset()
    for one in sent:
        log.append(one.event)
        if chance.random() < 0.15:
            engine.apply(log.batch())
        if chance.random() < 0.05:
            # another process takes over: it remembers no ids and asks the ledger
            engine.writer.recent.clear()
    engine.apply(log.batch())
    return engine.counts()
