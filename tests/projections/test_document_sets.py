"""Sets of documents under concurrent transactions: racing writers leave the rows of the model."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from projections.core.memory import Memory
from schemas.generated.events import Event, PurchaseAmended, StockAllocated, StockShipped
from schemas.wire.codec import key_of
from services.projector.document_sets import DocumentStore
from tests.projections.driving import OWNER, Engine, Log, place_of
from tests.projections.saying import brought_back, meta, named, sold
from tests.projections.test_item_codes import SHORT, described

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]
SALES = 40


def _allocated(number: int) -> Event:
    return StockAllocated(
        meta=meta(minute=2), sku="tea", location_id="GINZA", order_id=named(f"sale {number}"),
        line_no=1, quantity=1,
    )  # fmt: skip


def _shipped(number: int) -> Event:
    return StockShipped(
        meta=meta(minute=3), sku="tea", location_id="GINZA", order_id=named(f"sale {number}"),
        line_no=1, quantity=1,
    )  # fmt: skip


def _events() -> list[list[Event]]:
    """Documents of the same sales, as two partitions hold them."""
    ways = ("IMMEDIATE", "SHIP")
    sales: list[Event] = [
        sold("tea", 2, minute=1, receipt=f"sale {n}", fulfilment=ways[n % 2]) for n in range(SALES)
    ]
    returns: list[Event] = [
        brought_back("tea", minute=9, receipt=f"sale {n}") for n in range(SALES)
    ]
    orders = [_allocated(n) for n in range(SALES)] + [_shipped(n) for n in range(SALES)]
    return [sales + returns, orders]


@pytest.mark.parametrize("seed", range(3))
def test_racing_writers_leave_what_the_set_says(engine: Engine, seed: int) -> None:
    _check(engine, seed, _events())


def _named_otherwise() -> list[list[Event]]:
    """Sales by barcode, what names the item by its sku, and declarations of the barcode. Half of
    the orders ask in vain: an amendment places what was shipped.
    """
    sales: list[Event] = []
    orders: list[Event] = []
    for number in range(SALES):
        receipt, fulfilment = f"sale {number}", ("IMMEDIATE", "SHIP")[number % 2]
        sale = sold(SHORT, 2, minute=1, receipt=receipt, fulfilment=fulfilment)
        sales += [sale, brought_back("tea", minute=9, receipt=receipt)]
        if number % 2:
            orders.append(_shipped(number))
        if number % 4 == 1:
            more = [sale.lines[0], replace(sale.lines[0], line_no=2, sku="tea")]
            sales.append(
                PurchaseAmended(
                    meta=meta(minute=2), transaction_id=sale.transaction_id, location_id="GINZA",
                    currency="JPY", total=400, lines=more,
                )
            )  # fmt: skip
    return [sales, orders, [described("tea", SHORT), described("cup", SHORT, minute=-1)]]


@pytest.mark.parametrize("seed", range(2))
def test_racing_writers_bind_codes_whenever_they_are_declared(engine: Engine, seed: int) -> None:
    _check(engine, seed, _named_otherwise())


def _check(engine: Engine, seed: int, partitions: list[list[Event]]) -> None:
    """Writers race over the partitions, each in a drawn order; the rows are those of the model."""
    engine.reset()
    chance, log = random.Random(seed), Log()
    told: list[Event] = []
    for events in partitions:
        chance.shuffle(events)
        told += events
        for event in events:
            log.append(event)
    _race(engine, log)
    _same_as_memory(engine, told)


def _race(engine: Engine, log: Log) -> None:
    """Stores what each partition has in a transaction of its own, all at once."""
    batches = [{place: records} for place, records in log.batch().items()]
    writers = [engine.another(OWNER) for _ in batches]
    works = [engine.work(batch, writer) for batch, writer in zip(batches, writers, strict=True)]
    failed: list[BaseException] = []

    def apply(number: int) -> None:
        while True:
            try:
                list(writers[number].apply(works[number]))
            except psycopg.errors.DeadlockDetected:
                continue  # as the projector does
            except BaseException as error:
                failed.append(error)
            return

    threads = [threading.Thread(target=apply, args=[number]) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_new_sales_go_by_copy_unless_a_correction_came_before(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.reset()
    copied: list[bool] = []
    copy = DocumentStore._copy

    def noted(*arguments: Any) -> bool:
        copied.append(copy(*arguments))
        return copied[-1]

    monkeypatch.setattr(DocumentStore, "_copy", noted)
    log, told = Log(), list[Event]()
    batches: list[list[Event]] = [
        [sold("tea", 2, receipt=f"sale {number}") for number in range(SALES)],
        [brought_back("tea", minute=9, receipt="sale 41")],
        # one partition, so that all are stored by one COPY: it fails, and all are inserted
        [sold("tea", 2, minute=1, receipt=f"sale {number}") for number in range(40, 48)],
        [brought_back("tea", minute=9, receipt="sale 3"), sold("tea", 1, receipt="sale 50")],
    ]
    for events in batches:
        engine.tell(*events, log=log)
        told += events
        _same_as_memory(engine, told)
    assert True in copied
    assert False in copied


def _same_as_memory(engine: Engine, told: list[Event]) -> None:
    memory = Memory(engine.group)
    for event in told:
        memory.take(event, engine.source(*place_of(event.TOPIC, key_of(event))))
    for table in engine.group.tables:
        assert engine.rows(table) == memory.table(table), table.name
