"""One stock for all channels."""

from __future__ import annotations

from itertools import permutations

from projections import discover
from projections.core.fold import Group
from projections.core.memory import Memory
from projections.shared_stock import cell
from schemas.events import (
    Event,
    StockAllocated,
    StockCounted,
    StockReceived,
    StockShipped,
    TransferReceived,
    TransferShipped,
)
from tests.projections.saying import MINUTE, T0, brought_back, meta, named, row, sold, tell


def received(quantity: int, minute: int = 0) -> StockReceived:
    return StockReceived(meta(minute=minute), "tea", "ginza", quantity)


def counted(quantity: int, minute: int) -> StockCounted:
    return StockCounted(meta(minute=99), "tea", "ginza", quantity, T0 + minute * MINUTE)


def on_hand(memory: Memory, where: str = "ginza") -> int:
    return int(row(memory, cell, "tea", where)["on_hand"])


def test_what_the_store_sells_is_gone_for_the_web_too(memory: Memory) -> None:
    tell(memory, [received(5), sold("tea", 2)])
    assert on_hand(memory) == 3


def test_what_the_web_sells_leaves_when_it_is_shipped(memory: Memory) -> None:
    order = sold("tea", 2, channel="EC", fulfilment="SHIP")
    promised = StockAllocated(meta(), "tea", "ginza", named("order"), 1, 2)
    tell(memory, [received(5), order, promised])
    found = row(memory, cell, "tea", "ginza")
    assert (found["on_hand"], found["committed"]) == (5, 2)
    tell(memory, [StockShipped(meta(), "tea", "ginza", named("order"), 1, 2)])
    found = row(memory, cell, "tea", "ginza")
    assert (found["on_hand"], found["committed"]) == (3, 0)


def test_a_late_count_keeps_what_moved_after_it_in_whatever_order_they_come() -> None:
    events: list[Event] = [
        received(50, minute=1), sold("tea", 3, minute=2), counted(40, minute=5),
        sold("tea", 1, minute=5), sold("tea", 4, minute=8), counted(99, minute=3),
    ]  # fmt: skip
    for order in permutations(events):
        assert on_hand(tell(Memory(Group("main", discover())), order)) == 35


def test_a_return_may_come_before_its_sale(memory: Memory) -> None:
    tell(memory, [brought_back("tea", minute=9), sold("tea", 2, minute=1), received(10)])
    assert on_hand(memory) == 9


def test_what_comes_back_unjudged_is_on_hand_but_not_for_sale(memory: Memory) -> None:
    tell(memory, [brought_back("tea", disposition="QUALITY_CONTROL")])
    found = row(memory, cell, "tea", "ginza")
    assert (found["on_hand"], found["unavailable"]) == (1, 1)


def test_a_transfer_is_incoming_until_it_arrives(memory: Memory) -> None:
    way = (named("transfer"), "tea", "ginza", "umeda", 4)
    tell(memory, [TransferShipped(meta(), *way)])
    assert row(memory, cell, "tea", "umeda")["incoming"] == 4
    tell(memory, [TransferReceived(meta(), named("transfer"), "tea", "ginza", "umeda", 3, 1)])
    found = row(memory, cell, "tea", "umeda")
    assert (found["incoming"], found["on_hand"], on_hand(memory)) == (0, 3, -4)
