"""What folded documents left: cells, their past, what does not fit, what is still sold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import md5
from typing import Any
from uuid import UUID

from projections.purchases.sale_state import settled
from projections.shared_stock import cell
from tests.projections.shop_driving import GROUP, Folds

COLUMNS = ("on_hand", "committed", "unavailable", "incoming")
CHANGES = GROUP.changes[cell].name


def cells(folds: Folds) -> dict[Any, dict[str, int]]:
    """What is in each cell now, without cells where nothing is."""
    shown = {}
    for key, values in folds.rows[cell.name].items():
        row = dict(zip(cell.values, values, strict=True))
        row["on_hand"] = row["on_hand"][0]
        shown[key] = {name: row[name] for name in COLUMNS if row[name]}
    return {key: row for key, row in shown.items() if row}


def history(folds: Folds, until: int) -> dict[Any, dict[str, int]]:
    """What the rows of the past sum to at a time."""
    past: dict[Any, Counter[str]] = {}
    for (_, _, sku, place, at, delta), times in folds.ledgers[CHANGES].items():
        if at <= until:
            past.setdefault((sku, place), Counter())["on_hand"] += delta * times
    for (_, _, sku, place, at, *amounts), times in folds.ledgers["stock_promise"].items():
        for name, amount in zip(COLUMNS[1:], amounts, strict=True):
            if at <= until:
                past.setdefault((sku, place), Counter())[name] += amount * times
    return plain(past)


def dated(folds: Folds) -> dict[Any, dict[str, int]]:
    """Units that are expected or preordered, by item, location and time."""
    units: dict[Any, Counter[str]] = {}
    for (_, _, sku, place, day, incoming, preordered), times in folds.ledgers[
        "stock_expected"
    ].items():
        found = units.setdefault((sku, place, day), Counter())
        found["incoming"] += incoming * times
        found["preordered"] += preordered * times
    return plain(units)


def dated_then(folds: Folds, until: int) -> dict[Any, dict[str, int]]:
    """The same, as the rows of the past sum to at a time."""
    units: dict[Any, Counter[str]] = {}
    for (_, _, sku, place, at, day, incoming, preordered), times in folds.ledgers[
        "stock_expected_move"
    ].items():
        if at <= until:
            found = units.setdefault((sku, place, day), Counter())
            found["incoming"] += incoming * times
            found["preordered"] += preordered * times
    return plain(units)


def plain(cells: Any) -> dict[Any, dict[str, int]]:
    plain = {key: {name: n for name, n in row.items() if n} for key, row in cells.items()}
    return {key: row for key, row in plain.items() if row}


def odd(folds: Folds) -> Counter[Any]:
    """Units that do not fit, by kind and subject and, where they are of an item, by item."""
    units: Counter[Any] = Counter()
    for (kind, subject, sku, _, _), many in _misfits(folds):
        units[kind, subject, sku] += many
    return +units


def unsettled(folds: Folds) -> Counter[Any]:
    """As `odd`, without what people have settled: as the list of discrepancies joins them."""
    settled = folds.rows["discrepancy_settlement"]
    units: Counter[Any] = Counter()
    for (kind, subject, sku, document, where), many in _misfits(folds):
        name = md5(f"{kind}|{UUID(bytes=document)}|{sku}|{where}".encode()).digest()
        if not any((name, kind, subject, place) in settled for place in ("", where)):
            units[kind, subject, sku] += many
    return +units


def _misfits(folds: Folds) -> Iterator[tuple[tuple[str, bytes, str, bytes, str], int]]:
    for name in ("purchase_discrepancy", "stock_discrepancy"):
        for row, times in folds.ledgers[name].items():
            document, _, kind, _, subject, sku, where, quantity, *_ = row
            yield (kind, subject, sku, document, where), times * (quantity or 1)


def still_sold(folds: Folds) -> Counter[Any]:
    """Units that are still sold, by sale, line and item."""
    units: Counter[Any] = Counter()
    for table, sets in folds.sets.items():
        for (name, *_), documents in sets.items() if table.name == "sale" else ():
            for line in settled(documents).lines.values():
                units[name, line.line.line_no, line.line.sku] += line.open
    return +units


def owners(folds: Folds) -> dict[bytes, bytes]:
    """Whose each sale is: the buyer's, else of who claimed it first."""
    owner = {name: values[0] for (name,), values in folds.rows["purchase_claim"].items()}
    for table, sets in folds.sets.items():
        for (name,), documents in sets.items() if table.name == "sale" else ():
            for one in documents.values():
                if one[0] == "sale" and one[2] is not None:
                    owner[name] = bytes.fromhex(one[2])
    return owner
