"""A quantity with a unit or a scale is an amount in thousandths of the unit; else it is pieces."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.generated.events import PurchaseCompleted, StockReceived, TransferReceived
from schemas.generated.events.parts import Meta, Producer, PurchaseLine
from schemas.measures import (
    amount,
    everywhere,
    is_measured,
    location_and_unit,
    place,
    shown,
    unit_name,
)
from schemas.wire.documents import document_of

CODES = st.text(
    st.characters(blacklist_categories=("Cs",), min_codepoint=32), min_size=1, max_size=8
)
UNITS = st.one_of(st.none(), st.just(""), CODES.map(unit_name))
META = Meta(
    event_id=b"\1" * 16, occurred_at=1, producer=Producer(system="pos", channel="STORE")
)  # fmt: skip


@given(quantity=st.integers(-(10**9), 10**9), scale=st.integers(0, 3))
def test_an_amount_shows_the_number_that_was_told(quantity: int, scale: int) -> None:
    counted = amount(quantity, "kg", scale)
    assert Fraction(counted.quantity, 1_000) == Fraction(quantity, 10**scale)
    text = repr(shown(*counted))
    assert Fraction(text) == Fraction(quantity, 10**scale)
    assert ("." in text) == (quantity % 10**scale != 0)


@given(quantity=st.integers(-(10**9), 10**9))
def test_pieces_stay_the_whole_number(quantity: int) -> None:
    for unit in (None, "pcs", "EA", "個", "ＰＣＳ"):
        counted = amount(quantity, unit, 0)
        assert counted == (quantity, None)
        assert shown(*counted) is counted.quantity


def test_units_are_compared_in_normal_form_and_never_converted() -> None:
    assert {amount(35, unit, 2) for unit in ("kg", "KG", " ｋｇ", "㎏")} == {(350, "kg")}
    assert amount(350, "g", 0) == (350_000, "g")
    assert amount(5, None, 1) == amount(5, "pcs", 1) == (500, "")


@pytest.mark.parametrize("scale", [-1, 4, 6])
def test_a_scale_out_of_bounds_is_refused(scale: int) -> None:
    with pytest.raises(ValueError, match="scale: must be from 0 to 3"):
        amount(1, "kg", scale)


@given(location=CODES, unit=UNITS)
def test_a_place_is_its_location_and_unit(location: str, unit: str | None) -> None:
    key = place(location, unit)
    assert location_and_unit(key) == (location, unit)
    assert is_measured(key) == (unit is not None)
    assert everywhere(key) == place("", unit)
    assert unit is not None or key == location


def sold(quantity: int, unit: str | None, scale: int) -> PurchaseCompleted:
    line = PurchaseLine(
        line_no=1, sku="cheese", quantity=quantity, unit_price=1, net_paid=1, unit=unit, scale=scale
    )
    return PurchaseCompleted(
        meta=META, transaction_id=b"\2" * 16, location_id="ginza", currency="JPY", total=1,
        lines=[line],
    )  # fmt: skip


def test_a_document_says_the_same_where_its_amounts_are() -> None:
    received = StockReceived(
        meta=META, sku="cheese", location_id="ginza", quantity=350, unit="kg", scale=3,
        document_id="D-1",
    )  # fmt: skip
    arrived = TransferReceived(
        meta=META, sku="cheese", transfer_id=b"\3" * 16, from_location_id="ginza", scale=3,
        to_location_id="umeda", quantity=350, discrepancy=10, unit="kg", document_id="D-1",
    )  # fmt: skip
    for event, same in (
        (sold(350, "kg", 3), sold(35, "KG", 2)),
        (sold(2, None, 0), sold(2, "pcs", 0)),
        (received, replace(received, quantity=35, scale=2)),
        (arrived, replace(arrived, quantity=35, discrepancy=1, scale=2)),
    ):
        assert document_of(event) == document_of(same) is not None
    for event, other in (
        (sold(350, "kg", 3), sold(350, "kg", 2)),
        (sold(350, "kg", 3), sold(350, None, 0)),
        (sold(350, "kg", 3), sold(350, "g", 3)),
        (received, replace(received, unit=None, scale=0)),
        (arrived, replace(arrived, discrepancy=1)),
    ):
        assert document_of(event) != document_of(other)
        # what no gateway lets in is compared as it is told
        assert document_of(sold(1, "kg", 7)) != document_of(sold(1, "kg", 8))
