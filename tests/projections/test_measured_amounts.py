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
from hashlib import md5
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from projections.purchases import MISFITS
from projections.purchases.sale_state import settled
from projections.shared_stock import OF_ORDERS, OF_TRANSFERS, cell
from schemas.generated.events import DiscrepancySettled, InboundExpected, OrderLineCancelled
from schemas.generated.events.parts import Meta
from schemas.measures import place
from tests.drawn import examples
from tests.projections.saying import MINUTE, T0
from tests.projections.shop_deliveries import subject_of
from tests.projections.shop_driving import ITEMS, KINDS, PLACES, PRODUCER, Folds, histories
from tests.projections.shop_model import Shop
from tests.projections.shop_rows import (
    CHANGES,
    cells,
    dated,
    dated_then,
    history,
    odd,
    plain,
)
from tests.projections.test_document_model import _batches, _held

RUNS = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
# (unit, scale): the same number means another amount in each
TOLD = ((None, 0), ("kg", 3), ("kg", 2), ("KG", 3), ("g", 3), (None, 3), ("pcs", 0))
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


UNITS = (None, "kg", "g", "")
SKUS, PO = (*ITEMS, "box", "wrap"), "po"


def twin_sku(sku: str, unit: str | None) -> str:
    return sku if unit is None else f"{sku} in {unit or 'decimals'}"


def discrepancy_name(kind: str, document: bytes, sku: str, where: str) -> bytes:
    return md5(f"{kind}|{UUID(bytes=document)}|{sku}|{where}".encode()).digest()


def decisions_twins(events: list[Any]) -> dict[tuple[bytes, Any], tuple[bytes, Any]]:
    """By id and subject of each thing that may not fit: id and subject that the twin knows."""
    subjects: dict[tuple[str, str | None], dict[bytes, bytes]] = {
        (sku, unit): {subject_of(PO, sku): subject_of(PO, twin_sku(sku, unit))}
        for sku in SKUS
        for unit in UNITS
    }
    return {
        (discrepancy_name(kind, event.meta.event_id, sku, place(where, unit)), subject): (
            discrepancy_name(kind, event.meta.event_id, twin_sku(sku, unit), where),
            subjects[sku, unit].get(subject, subject),
        )
        for kind in (*MISFITS, *OF_ORDERS, *OF_TRANSFERS)
        for event in events
        for sku in SKUS
        for unit in UNITS
        for where in (*PLACES, "KYOTO")
        for subject in {one.subject_id for one in events if isinstance(one, DiscrepancySettled)}
    }


def twins(events: list[Any]) -> list[Any]:
    found: list[Any] = []
    decided = any(isinstance(event, DiscrepancySettled) for event in events)
    names = decisions_twins(events) if decided else {}
    for event in events:
        if isinstance(event, DiscrepancySettled):
            known = (event.discrepancy_id, event.subject_id)
            name, subject = names.get(known, known)
            found.append(replace(event, discrepancy_id=name, subject_id=subject))
        elif isinstance(event, InboundExpected):
            # told anew in another unit, a line is not expected in the former any more
            own = twin_of(event)
            others = {twin_sku(event.sku, unit) for unit in UNITS} - {own.sku}
            none = {"unit": None, "scale": 0, "quantity": 0}
            found += [own, *(replace(event, sku=sku, **none) for sku in sorted(others))]
        elif hasattr(event, "lines"):
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
        if not isinstance(event, DiscrepancySettled):
            events.append(told(event) if hasattr(event, "scale") else event)
    misfits = Shop(twins(events)).misfits
    odd = sorted(key for key in misfits if key[0] != "second_claim")
    for _ in range(draw(st.integers(0, 2)) if odd else 0):
        events.append(_decision(draw, draw(st.sampled_from(odd)), len(events) + 1))
    return events


def _decision(draw: Any, misfit: Any, number: int) -> DiscrepancySettled:
    """Somebody decides about something that does not fit, under the name that the shop knows."""
    kind, subject, twin, document, where = misfit
    sku, measured, told = twin.partition(" in ")
    unit = told.replace("decimals", "") if measured else None
    if subject == subject_of(PO, twin):
        subject = subject_of(PO, sku)
    return DiscrepancySettled(
        meta=Meta(
            event_id=UUID(int=1_000 + number).bytes, producer=PRODUCER,
            occurred_at=T0 + draw(st.integers(0, 4)) * MINUTE,
        ),
        kind=kind, actor="auditor", subject_id=subject,
        discrepancy_id=discrepancy_name(kind, document, sku, place(where, unit)),
        location_id=draw(st.sampled_from((None, where, where, "elsewhere"))),
        resolution=draw(st.sampled_from(("DOCUMENT_RIGHT", "DOCUMENT_WRONG"))),
    )  # fmt: skip


def item(sku: str, place: str) -> tuple[str, str]:
    """The twin's item, and the location, of a place's stock."""
    location, mark, unit = place.partition("\x1f")
    return (f"{sku} in {unit or 'decimals'}" if mark else sku), location


def renamed(folds: Folds) -> Folds:
    """The same rows, under the names of the twin's items."""
    other = Folds()
    other.rows[cell.name] = {item(*key): row for key, row in folds.rows[cell.name].items()}
    places = {
        CHANGES: 2, "stock_promise": 2, "purchase_discrepancy": 5, "stock_discrepancy": 5,
        "stock_expected": 2, "stock_expected_move": 2,
    }  # fmt: skip
    for name, at in places.items():
        for row, times in folds.ledgers[name].items():
            twin = [*row[:at], *item(row[at], row[at + 1]), *row[at + 2 :]]
            if name == "stock_discrepancy" and row[at - 1] == subject_of(PO, row[at]):
                twin[at - 1] = subject_of(PO, twin[at])
            other.ledgers[name][tuple(twin)] += times
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
    rows = renamed(folds)
    assert cells(rows) == plain(shop.cells)
    assert dated(rows) == plain(shop.dated)
    assert still_sold(folds) == +shop.sold
    claims = Counter({key: n for key, n in shop.odd.items() if key[0] == "second_claim"})
    assert odd(rows) == +(shop.odd - claims)
    for minute in range(5):
        at = T0 + minute * MINUTE
        then = Shop(twin, at)
        assert _held(history(rows, at)) == _held(plain(then.cells)), minute
        assert dated_then(rows, at) == plain(then.dated), minute


@pytest.mark.parametrize("many", [60, pytest.param(2_000, marks=pytest.mark.long)])
def test_what_is_measured_means_what_the_model_says(many: int) -> None:
    @seed(0)
    @settings(RUNS, max_examples=examples(many))
    @given(measured())
    def runs(events: list[Any]) -> None:
        check(events, lambda told: Folds().take(told))

    runs()


@pytest.mark.parametrize("kind", (*KINDS, "reservation", "receipt"))
def test_measured_documents_of_each_kind_in_any_order_and_split(kind: str) -> None:
    @seed(0)
    @settings(RUNS, max_examples=examples(12))
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
    @settings(RUNS, max_examples=examples(20))
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
