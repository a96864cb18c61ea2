"""Nothing that is accepted is unread: what nobody reads yet says what it is kept for."""

from __future__ import annotations

from tests.contracts.field_readers import kept_for, readers


def test_every_field_is_read_or_says_what_it_is_kept_for() -> None:
    kept = kept_for()
    unread = sorted(field for field, modules in readers().items() if not modules)
    assert [field for field in unread if field not in kept] == []


def test_what_it_is_kept_for_is_said_in_words() -> None:
    assert {field for field, words in kept_for().items() if len(words.split()) < 2} == set()


def test_readers_are_found_where_they_are() -> None:
    found = readers()
    assert "projections/shared_stock/__init__.py" in found["StockCounted.quantity"]
    assert "projections/catalog/__init__.py" in found["ItemDescribed.barcodes"]
    assert "its contract" in found["StockReceived.document_id"]
    assert found["ContactMade.purpose"] == []
