"""Documents of a shop, in any order and in any batches, mean what a plain model says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from tests.drawn import examples
from tests.projections.saying import MINUTE, T0
from tests.projections.shop_driving import KINDS, Folds, histories, settled_preorders
from tests.projections.shop_model import Shop
from tests.projections.shop_rows import (
    COLUMNS,
    cells,
    dated,
    dated_then,
    history,
    odd,
    owners,
    plain,
    still_sold,
    unsettled,
)

PARTS = 4
RUNS = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))


def told(event: Any) -> str:
    """A document in short, for who reads a failure."""
    words = [type(event).__name__, f"minute {(event.meta.occurred_at - T0) // MINUTE}"]
    for name in ("transaction_id", "order_id", "transfer_id", "subject_id"):
        value = getattr(event, name, None)
        words.append(f"{name}={value.hex()[:4]}" if value else "")
    for part in [event, *getattr(event, "lines", ())]:
        for name in (
            "line_no", "sku", "quantity", "location_id", "to_location_id", "fulfilment", "kind",
            "components", "disposition", "discrepancy", "resolution", "reference", "document_id",
            "document_line", "expected_at",
        ):  # fmt: skip
            value = getattr(part, name, None)
            words.append(f"{name}={value}" if value else "")
        words.append("|")
    return " ".join(word for word in words if word)


def check_promises(folds: Folds, events: list[Any]) -> None:
    """No cell holds less than nothing for orders, or all together more than was ordered; and
    corrections, in whatever number they are told, give no unit to sell that nobody received.
    """
    ordered, received = Counter[str](), Counter[str]()
    for event in events:
        name = type(event).__name__
        for line in getattr(event, "lines", ()) if name != "PurchaseReturned" else ():
            each = {part.sku: part.quantity for part in line.components} or {line.sku: 1}
            for sku, units in each.items():
                ordered[sku] += units * line.quantity
        if name in ("StockAllocated", "ReservationCommitted"):
            ordered[event.sku] += event.quantity
        if name in ("StockReceived", "TransferReceived"):
            received[event.sku] += event.quantity
    held, to_sell = Counter[str](), Counter[str]()
    for (sku, _), row in cells(folds).items():
        assert min(row.get(name, 0) for name in COLUMNS[1:]) >= 0
        held[sku] += row.get("committed", 0)
        to_sell[sku] += row.get("on_hand", 0) - row.get("unavailable", 0)
    assert held <= ordered
    if not any(type(event).__name__ == "DiscrepancySettled" for event in events):
        assert all(units <= received[sku] for sku, units in to_sell.items())


def check_meaning(events: list[Any]) -> None:
    """Compares all rows, and those of the past at each time, with the model."""
    for event in events:
        note(told(event))
    shop, folds = Shop(events), Folds().take(events)
    assert cells(folds) == plain(shop.cells)
    assert dated(folds) == plain(shop.dated)
    assert still_sold(folds) == +shop.sold
    assert owners(folds) == {name: who for name, who in shop.owner.items() if who}
    claims = Counter({key: n for key, n in shop.odd.items() if key[0] == "second_claim"})
    assert odd(folds) == +(shop.odd - claims)
    assert unsettled(folds) == +(shop.open - claims)
    check_promises(folds, events)
    for minute in range(5):
        at = T0 + minute * MINUTE
        # what is on hand in the past is told by the whole set: tests/projections/
        # test_moves_of_documents.py; promises and units under way are as they were told by then
        then = Shop(events, at)
        assert _held(history(folds, at)) == _held(plain(then.cells)), minute
        assert dated_then(folds, at) == plain(then.dated), minute


def _held(cells_then: Mapping[Any, Mapping[str, int]]) -> dict[Any, dict[str, int]]:
    """Cells without what is on hand."""
    without = {
        key: {name: units for name, units in cell.items() if name != "on_hand"}
        for key, cell in cells_then.items()
    }
    return {key: cell for key, cell in without.items() if cell}


@pytest.mark.parametrize("part", range(PARTS))
def test_documents_mean_what_the_model_says(part: int) -> None:
    @seed(part)
    @settings(RUNS, max_examples=examples(2_000 // PARTS))
    @given(histories())
    def runs(events: list[Any]) -> None:
        check_meaning(events)

    runs()


def test_decisions_about_preorders_mean_what_the_model_says() -> None:
    """People decide about units of an order of which others still wait for their delivery."""
    decided, waiting = 0, 0

    @seed(0)
    @settings(RUNS, max_examples=examples(250))
    @given(settled_preorders(), st.randoms(use_true_random=False))
    def runs(events: list[Any], chance: Any) -> None:
        nonlocal decided, waiting
        check_meaning(events)
        want, folds = Folds().take(events), Folds()
        for batch in _batches(events, chance):
            folds.take(batch)
        assert (cells(folds), _stored(folds)) == (cells(want), _stored(want))
        settled = unsettled(want) != odd(want)
        decided += settled
        waiting += settled and any(row.get("preordered") for row in dated(want).values())

    runs()
    assert decided > examples(80), "the decisions of these histories settle something"
    assert waiting > examples(80), "and in some of them preordered units still wait"


def _batches(events: list[Any], chance: Any) -> list[list[Any]]:
    """Another order, in batches; claims of a sale have one partition, so theirs is kept."""
    claims = iter([event for event in events if type(event).__name__ == "PurchaseAttributed"])
    mixed = chance.sample(events, len(events))
    order = [next(claims) if hasattr(event, "points_treatment") else event for event in mixed]
    cuts = sorted(chance.sample(range(len(order)), chance.randrange(len(order))))
    return [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]


def _stored(folds: Folds) -> dict[str, Counter[Any]]:
    return {name: +rows for name, rows in folds.ledgers.items() if +rows}


@pytest.mark.parametrize("kind", KINDS)
def test_every_order_and_split_leaves_the_same_rows(kind: str) -> None:
    @seed(0)
    @settings(RUNS, max_examples=examples(40))
    @given(histories(kind, most=5), st.randoms(use_true_random=True))
    def five_orders(events: list[Any], chance: Any) -> None:
        for event in events:
            note(told(event))
        want = Folds().take(events)
        for _ in range(5):
            folds = Folds()
            for batch in _batches(events, chance):
                folds.take(batch)
            assert cells(folds) == cells(want)
            assert _stored(folds) == _stored(want)
            assert unsettled(folds) == unsettled(want)
            assert folds.sets == want.sets
            assert owners(folds) == owners(want)

    five_orders()
