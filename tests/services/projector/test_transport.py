"""Which fetches are handed over around a claim? Those that begin where the claim seeked to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from services.projector.transport import FULL_WAIT_SECONDS, BatchConsumer, _message

SALES, RETURNS = TP("commerce.purchases", 3), TP("commerce.purchases", 4)


@dataclass
class Fetched:
    offset: int
    timestamp: int = 1_700_000_000_000
    timestamp_type: int = 1


@pytest.fixture
def consumer() -> BatchConsumer:
    return BatchConsumer.__new__(BatchConsumer)  # without Faust around it


def follows(consumer: BatchConsumer, first: int, *more: int) -> bool:
    return consumer._follows(SALES, [Fetched(offset) for offset in (first, *more)])


def test_nothing_is_handed_over_while_a_claim_is_under_way(consumer: BatchConsumer) -> None:
    assert not follows(consumer, 40, 41)


def test_what_was_fetched_before_the_seek_is_let_go_and_comes_again(
    consumer: BatchConsumer,
) -> None:
    consumer._awaited = {SALES: 40}
    assert not follows(consumer, 95, 96)
    assert follows(consumer, 40, 41)


def test_what_was_fetched_after_the_seek_is_kept_though_it_was_asked_for_before(
    consumer: BatchConsumer,
) -> None:
    consumer._awaited = {SALES: 40}
    assert follows(consumer, 40, 41)
    assert follows(consumer, 42)


def test_a_gap_later_on_is_handed_over_for_the_pipeline_to_stop_at(
    consumer: BatchConsumer,
) -> None:
    consumer._awaited = {SALES: 40}
    assert follows(consumer, 40)
    assert follows(consumer, 90)


async def test_kafka_is_told_the_newest_offset_handled_and_nothing_piles_up(
    consumer: BatchConsumer,
) -> None:
    consumer._gap, consumer._acked = {}, {SALES: [41, 96, 63]}
    consumer._acked_index = {SALES: {41, 96, 63}}
    await consumer._add_gap(SALES, 42, 62)
    assert consumer._new_offset(SALES) == 97
    assert consumer._new_offset(SALES) is None
    assert (consumer._gap, consumer._acked_index) == ({}, {SALES: set()})


def message(*fetched: tuple[TP, list[int]]) -> Any:
    return _message((1, [(tp, [Fetched(at) for at in offsets]) for tp, offsets in fetched]), 5)


async def test_what_was_fetched_of_all_partitions_is_one_message(
    fed: BatchConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed._buffered_partitions, fed.flow_active = set(), True
    fed.app = SimpleNamespace(pipeline=SimpleNamespace(run=3), consumer_generation_id=7)
    fed._awaited = {SALES: 40, RETURNS: 8}
    records = {tp: [Fetched(at) for at in (8, 9)] for tp in (SALES, RETURNS)}

    async def fetched(_timeout: float) -> Any:
        return records, {SALES, RETURNS}

    monkeypatch.setattr(fed, "_wait_next_records", fetched)
    ((tp, one),) = [each async for each in fed.getmany(1.0)]
    assert (tp, one.tp, one.offset, one.generation_id) == (RETURNS, RETURNS, 9, 7)
    assert one.value == (3, [(RETURNS, records[RETURNS])])  # the sales are from before the seek
    records[SALES] = [Fetched(40)]
    ((_, one),) = [each async for each in fed.getmany(1.0)]
    assert [each for each, _ in one.value[1]] == [SALES, RETURNS]


def test_kafka_is_told_of_every_partition_of_a_message(fed: BatchConsumer) -> None:
    acked: defaultdict[TP, list[int]] = defaultdict(list)
    fed._acked, fed._acked_index = acked, defaultdict(set)
    fed._committed_offset, fed._unacked_messages = defaultdict(lambda: None), set()
    fed._waiting_for_ack, fed._n_acked = None, 0
    topics = SimpleNamespace(acks_enabled_for=lambda _topic: True)
    fed.app = SimpleNamespace(topics=topics)
    one = message((SALES, [40, 41]), (RETURNS, [8]))
    assert fed.ack(one)
    assert not fed.ack(one)
    assert (fed._new_offset(SALES), fed._new_offset(RETURNS)) == (42, 9)


@pytest.fixture
def fed(consumer: BatchConsumer, monkeypatch: pytest.MonkeyPatch) -> BatchConsumer:
    """With a partition whose queue is full, and one that has nothing."""
    consumer._active_partitions, consumer._buffered_partitions = {RETURNS}, {SALES}
    monkeypatch.setattr(BatchConsumer, "should_stop", False)
    return consumer


async def test_nobody_waits_long_for_what_is_empty_while_another_queue_is_full(
    fed: BatchConsumer,
) -> None:
    assert await fed._patience(1.0) == FULL_WAIT_SECONDS
    fed.on_buffer_drop(SALES)
    assert await fed._patience(1.0) == 1.0


async def test_with_every_queue_full_it_goes_on_as_soon_as_one_has_room(fed: BatchConsumer) -> None:
    fed._active_partitions = set()
    waiting = asyncio.ensure_future(fed._patience(1.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    fed.on_buffer_drop(SALES)
    assert await asyncio.wait_for(waiting, 5) == 1.0


async def test_a_worker_that_stops_does_not_wait_for_room(
    fed: BatchConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed._active_partitions = set()
    monkeypatch.setattr(BatchConsumer, "should_stop", True)
    assert await asyncio.wait_for(fed._patience(1.0), 5) == FULL_WAIT_SECONDS
