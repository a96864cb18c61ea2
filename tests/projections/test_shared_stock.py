"""One stock for all channels."""

from __future__ import annotations

from itertools import permutations

from projections import discover
from projections.core.fold import Group
from projections.core.memory import Memory
from projections.shared_stock import cell
from schemas.generated.events import (
    Event,
    StockAdjusted,
    StockAllocated,
    StockCounted,
    StockReceived,
    StockShipped,
    StockStateChanged,
    TransferReceived,
    TransferShipped,
)
from tests.projections.saying import MINUTE, T0, brought_back, meta, named, row, sold, tell


def received(quantity: int, minute: int = 0) -> StockReceived:
    return StockReceived(
        meta=meta(minute=minute), sku="tea", location_id="GINZA", quantity=quantity
    )


def counted(quantity: int, minute: int) -> StockCounted:
    return StockCounted(
        meta=meta(minute=99),
        sku="tea",
        location_id="GINZA",
        quantity=quantity,
        counted_at=T0 + minute * MINUTE,
    )


def on_hand(memory: Memory, where: str = "GINZA") -> int:
    return int(row(memory, cell, "tea", where)["on_hand"])


def test_what_the_store_sells_is_gone_for_the_web_too(memory: Memory) -> None:
    tell(memory, [received(5), sold("tea", 2)])
    assert on_hand(memory) == 3


def test_what_the_web_sells_leaves_when_it_is_shipped(memory: Memory) -> None:
    order = sold("tea", 2, channel="EC", fulfilment="SHIP")
    promised = StockAllocated(
        meta=meta(), sku="tea", location_id="GINZA", order_id=named("r"), line_no=1, quantity=2
    )
    tell(memory, [received(5), order, promised])
    found = row(memory, cell, "tea", "GINZA")
    assert (found["on_hand"], found["committed"]) == (5, 2)
    tell(
        memory,
        [
            StockShipped(
                meta=meta(),
                sku="tea",
                location_id="GINZA",
                order_id=named("r"),
                line_no=1,
                quantity=2,
            )
        ],
    )
    found = row(memory, cell, "tea", "GINZA")
    assert (found["on_hand"], found["committed"]) == (3, 0)


def test_a_late_count_keeps_what_moved_after_it_in_whatever_order_they_come() -> None:
    events: list[Event] = [
        received(50, minute=1), sold("tea", 3, minute=2), counted(40, minute=5),
        sold("tea", 1, minute=5, receipt="s"), sold("tea", 4, minute=8, receipt="t"),
        counted(99, minute=3),
    ]  # fmt: skip
    for order in permutations(events):
        assert on_hand(tell(Memory(Group("main", discover())), order)) == 35


def test_a_return_may_come_before_its_sale(memory: Memory) -> None:
    tell(memory, [brought_back("tea", minute=9), sold("tea", 2, minute=1), received(10)])
    assert on_hand(memory) == 9


def test_what_comes_back_unjudged_is_on_hand_but_not_for_sale(memory: Memory) -> None:
    tell(memory, [brought_back("tea", disposition="QUALITY_CONTROL")])
    found = row(memory, cell, "tea", "GINZA")
    assert (found["on_hand"], found["unavailable"]) == (1, 1)


def _shipped(quantity: int, minute: int = 0) -> TransferShipped:
    return TransferShipped(
        meta=meta(minute=minute),
        transfer_id=named("transfer"),
        sku="tea",
        from_location_id="GINZA",
        to_location_id="UMEDA",
        quantity=quantity,
    )


def _received(quantity: int, minute: int = 0, discrepancy: int = 0) -> TransferReceived:
    return TransferReceived(
        meta=meta(minute=minute),
        transfer_id=named("transfer"),
        sku="tea",
        from_location_id="GINZA",
        to_location_id="UMEDA",
        quantity=quantity,
        discrepancy=discrepancy,
    )


def test_a_transfer_is_incoming_until_it_arrives(memory: Memory) -> None:
    tell(memory, [_shipped(4)])
    assert row(memory, cell, "tea", "UMEDA")["incoming"] == 4
    tell(memory, [_received(3, discrepancy=1)])
    found = row(memory, cell, "tea", "UMEDA")
    assert (found["incoming"], found["on_hand"], on_hand(memory)) == (0, 3, -4)


def test_a_transfer_arrives_in_parts_and_what_was_lost_on_the_way_is_said() -> None:
    events: list[Event] = [
        _shipped(10, minute=1),
        _received(4, minute=5),
        _received(3, minute=6),
        _received(1, minute=9, discrepancy=2),  # two are missing, and it is closed
    ]
    memory = tell(Memory(Group("main", discover())), events[:2])
    found = row(memory, cell, "tea", "UMEDA")
    assert (found["incoming"], found["on_hand"], on_hand(memory)) == (6, 4, -10)
    for order in permutations(events):
        memory = tell(Memory(Group("main", discover())), order)
        found = row(memory, cell, "tea", "UMEDA")
        assert (found["incoming"], found["on_hand"], on_hand(memory)) == (0, 8, -10)


def test_more_may_arrive_than_was_sent(memory: Memory) -> None:
    tell(memory, [_shipped(4), _received(5, discrepancy=-1)])
    found = row(memory, cell, "tea", "UMEDA")
    assert (found["incoming"], found["on_hand"]) == (0, 5)


def judged(to: str, quantity: int = 1, minute: int = 2) -> StockStateChanged:
    return StockStateChanged(
        meta=meta(minute=minute),
        sku="tea",
        location_id="GINZA",
        quantity=quantity,
        from_state="QUALITY_CONTROL",
        to_state=to,
    )


def on_shelf(memory: Memory) -> tuple[int, int]:
    """On hand, unavailable."""
    found = row(memory, cell, "tea", "GINZA")
    return found["on_hand"], found["unavailable"]


def test_returned_goods_are_for_sale_once_they_are_found_good(memory: Memory) -> None:
    back = brought_back("tea", 3, disposition="QUALITY_CONTROL")
    tell(memory, [received(5), back, judged("SELLABLE", 2)])
    assert on_shelf(memory) == (8, 1)


def test_what_is_found_damaged_stays_unavailable_and_leaves_by_two_facts() -> None:
    """Out for good: an adjustment, and the end of the state; in any order, then as before."""
    back = brought_back("tea", 1, disposition="QUALITY_CONTROL", minute=1)
    gone = StockAdjusted(
        meta=meta(minute=3), sku="tea", location_id="GINZA", quantity=-1, reason="scrapped"
    )
    ended = StockStateChanged(
        meta=meta(minute=3),
        sku="tea",
        location_id="GINZA",
        quantity=1,
        from_state="DAMAGED",
        to_state="SELLABLE",
    )
    memory = tell(Memory(Group("main", discover())), [received(5), back, judged("DAMAGED")])
    assert on_shelf(memory) == (6, 1)
    for order in permutations([received(5), back, judged("DAMAGED"), gone, ended]):
        assert on_shelf(tell(Memory(Group("main", discover())), order)) == (5, 0)


def test_unusable_goods_are_on_hand_and_never_for_sale(memory: Memory) -> None:
    tell(memory, [received(5), brought_back("tea", 2, disposition="UNUSABLE")])
    assert on_shelf(memory) == (7, 2)


def test_a_count_between_sales_that_arrive_after_it_counts_at_its_own_time() -> None:
    sold_at = ((1, 2), (2, 5), (4, 5), (8, 7))
    sales = [sold("tea", units, minute=at, receipt=f"{units}") for units, at in sold_at]
    readings: list[Event] = [counted(30, 5), counted(20, 3)]
    for order in permutations([*sales, *readings]):
        # what was sold at the very time of the count had not left the shelf
        assert on_hand(tell(Memory(Group("main", discover())), order)) == 30 - 2 - 4 - 8


def test_of_two_counts_at_one_time_the_greater_one_holds_in_either_order() -> None:
    for order in permutations([counted(7, 4), counted(9, 4), sold("tea", 1, minute=6)]):
        assert on_hand(tell(Memory(Group("main", discover())), order)) == 8
