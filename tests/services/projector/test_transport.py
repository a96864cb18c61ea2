"""Which fetches are handed over around a claim? Those that begin where the claim seeked to."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from faust.types import TP

from services.projector.transport import BatchConsumer

SALES = TP("commerce.purchases", 3)


@dataclass
class Fetched:
    offset: int


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
