"""What is measured means what the plain model says of an item for each unit, in thousandths.

A drawn history is told in units and scales. Its twin has an item for each unit ("tea in kg") and
whole numbers: that is what "each unit has a stock of its own, in thousandths" says. The model of
`shop_model` walks the twin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from projections.purchases.sale_state import settled
from projections.shared_stock import cell
from projections.shared_stock.deliveries import delivery_id
from schemas.generated.events import OrderLineCancelled
from tests.projections.saying import MINUTE, T0
from tests.projections.shop_driving import ITEMS, KINDS, Folds, histories
from tests.projections.shop_model import Shop
from tests.projections.shop_rows import CHANGES, cells, history, odd, plain
from tests.projections.test_document_model import _batches, _held

RUNS = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
# (unit, scale): the same number means another amount in each
TOLD = ((None, 0), ("kg", 3), ("kg", 2), ("KG", 3), ("g", 3), (None, 3), ("pcs", 0))
SUBJECT = 4  # column of a discrepancy
WORDS = {"KG": "kg", "pcs": None}


def in_thousandths(quantity: int, scale: int) -> int:
    return int(Decimal(quantity).scaleb(3 - scale))


def twin_of(part: Any, **more: Any) -> Any:
    """The same event, line or component, of an item that is counted in whole numbers."""
    unit, scale = WORDS.get(part.unit, part.unit), part.scale
    if unit is None and not scale:
        return replace(part, unit=None, **more)
    amounts = {"quantity": in_thousandths(part.quantity, scale)}
    if hasattr(part, "discrepancy"):
        amounts["discrepancy"] = in_thousandths(part.discrepancy, scale)
    return replace(
        part, sku=f"{part.sku} in {unit or 'decimals'}", unit=None, scale=0, **amounts, **more
    )


def twins(events: list[Any]) -> list[Any]:
    found = []
    for event in events:
        if hasattr(event, "lines"):
            found.append(replace(event, lines=[_line_twin(line) for line in event.lines]))
        else:
            found.append(twin_of(event) if hasattr(event, "scale") else event)
    return found


def _line_twin(line: Any) -> Any:
    parts = getattr(line, "components", None)
    if not parts:
        return twin_of(line)
    measured = twin_of(line).sku != line.sku
    # pieces in a thousandth of a set are thousandths of pieces
    counted = [
        replace(part, sku=f"{part.sku} in decimals") if measured else twin_of(part)
        for part in parts
    ]
    return twin_of(line, components=counted)


@st.composite
def measured(draw: Any, kind: str | None = None, most: int = 6) -> list[Any]:
    """A history whose quantities are told in drawn units and scales."""

    def told(part: Any, **more: Any) -> Any:
        unit, scale = draw(st.sampled_from(TOLD))
        # so that one amount is told in two scales
        many = 10 if scale == 3 and draw(st.booleans()) else 1
        amounts = {"quantity": part.quantity * many}
        if hasattr(part, "discrepancy"):
            amounts["discrepancy"] = part.discrepancy * many
        return replace(part, unit=unit, scale=scale, **amounts, **more)

    def line(one: Any) -> Any:
        parts = getattr(one, "components", None)
        if not parts:
            return told(one)
        whole = told(one)
        if twin_of(whole).sku != whole.sku:
            return whole
        return replace(whole, components=[told(part) for part in parts])

    events = []
    for event in draw(histories(kind, most)):
        if isinstance(event, OrderLineCancelled) and event.sku is None:
            event = replace(event, sku="tea")
        if hasattr(event, "lines"):
            event = replace(event, lines=[line(one) for one in event.lines])
        events.append(told(event) if hasattr(event, "scale") else event)
    return events


def item(sku: str, place: str) -> tuple[str, str]:
    """The twin's item, and the location, of a place's stock."""
    location, mark, unit = place.partition("\x1f")
    return (f"{sku} in {unit or 'decimals'}" if mark else sku), location


def renamed(folds: Folds, events: list[Any]) -> Folds:
    """The same rows, under the names of the twin's items; a delivery's name has its item in it."""
    other = Folds()
    papers = {getattr(one, name, None) for one in events for name in ("document_id", "reference")}
    named = {delivery_id(paper, sku): paper for paper in papers if paper for sku in ITEMS}
    other.rows[cell.name] = {item(*key): row for key, row in folds.rows[cell.name].items()}
    places = {CHANGES: 2, "stock_promise": 2, "purchase_discrepancy": 5, "stock_discrepancy": 5}
    for name, at in places.items():
        for row, times in folds.ledgers[name].items():
            sku, location = item(row[at], row[at + 1])
            kept = list(row[:at])
            if at == SUBJECT + 1 and kept[SUBJECT] in named:
                kept[SUBJECT] = delivery_id(named[kept[SUBJECT]], sku)
            other.ledgers[name][*kept, sku, location, *row[at + 2 :]] += times
    return other


def still_sold(folds: Folds) -> Counter[Any]:
    units: Counter[Any] = Counter()
    for table, sets in folds.sets.items():
        for (name, *_), documents in sets.items() if table.name == "sale" else ():
            for sold in settled(documents).lines.values():
                line = sold.line
                place = "" if line.unit is None else f"\x1f{line.unit}"
                units[name, line.line_no, item(line.sku, place)[0]] += sold.open
    return +units


def check(events: list[Any], fold: Callable[[list[Any]], Folds]) -> None:
    for event in events:
        note(repr(event))
    twin = twins(events)
    shop, folds = Shop(twin), fold(events)
    rows = renamed(folds, events)
    assert cells(rows) == plain(shop.cells)
    assert still_sold(folds) == +shop.sold
    claims = Counter({key: n for key, n in shop.odd.items() if key[0] == "second_claim"})
    assert odd(rows) == +(shop.odd - claims)
    for minute in range(5):
        at = T0 + minute * MINUTE
        assert _held(history(rows, at)) == _held(plain(Shop(twin, at).cells)), minute


@pytest.mark.parametrize("many", [60, pytest.param(2_000, marks=pytest.mark.long)])
def test_what_is_measured_means_what_the_model_says(many: int) -> None:
    @seed(0)
    @settings(RUNS, max_examples=many)
    @given(measured())
    def runs(events: list[Any]) -> None:
        check(events, lambda told: Folds().take(told))

    runs()


@pytest.mark.parametrize("kind", (*KINDS, "reservation", "receipt"))
def test_measured_documents_of_each_kind_in_any_order_and_split(kind: str) -> None:
    @seed(0)
    @settings(RUNS, max_examples=12)
    @given(measured(kind, most=4), st.randoms(use_true_random=True))
    def orders(events: list[Any], chance: Any) -> None:
        def in_batches(told: list[Any]) -> Folds:
            folds = Folds()
            for batch in _batches(told, chance):
                folds.take(batch)
            return folds

        check(events, in_batches)

    orders()


def test_amounts_in_two_scales_of_one_unit_are_one_stock() -> None:
    """0.350 kg as 350 with scale 3, as 35 with scale 2; and 10 kg with scale 0."""

    @seed(0)
    @settings(RUNS, max_examples=20)
    @given(histories("transfer"), st.data())
    def runs(events: list[Any], data: Any) -> None:
        def scaled(scale: int) -> list[Any]:
            def told(part: Any) -> Any:
                shift = 10**scale
                more = (
                    {"discrepancy": part.discrepancy * shift}
                    if hasattr(part, "discrepancy")
                    else {}
                )
                return replace(part, unit="kg", scale=scale, quantity=part.quantity * shift, **more)

            return [
                replace(event, lines=[told(line) for line in event.lines])
                if hasattr(event, "lines")
                else told(event)
                if hasattr(event, "scale")
                else event
                for event in events
            ]

        want = Folds().take(scaled(0))
        mixed = [scaled(data.draw(st.integers(0, 3)))[number] for number in range(len(events))]
        found = Folds().take(mixed)
        assert cells(found) == cells(want)
        assert {name: +rows for name, rows in found.ledgers.items() if +rows} == {
            name: +rows for name, rows in want.ledgers.items() if +rows
        }
        assert found.sets == want.sets

    runs()
