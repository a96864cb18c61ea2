"""What is left of a sale, and what its corrections move: as a shop says it.

A correction means the sale with its transaction, whoever sends it and whenever it arrives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.faults.expected.orders import Entry, Move

SALE = "PurchaseCompleted"
CORRECTIONS = {"PurchaseReturned", "PurchaseVoided", "OrderLineCancelled", "PriceAdjusted"}
Discrepancy = tuple[str, int, bytes, str, str, int]
"""Kind, when, of which sale, order or transfer, item, location, units."""


@dataclass
class Line:
    """A line of the sale, and how many of its units are still sold.

    `lowered`: money that was given back of it without goods, for all of its units.
    """

    said: Any
    where: str
    left: int
    lowered: Fraction = Fraction(0)

    def goods(self) -> list[tuple[str, int, str]]:
        """Items that move for one unit of it, how many of each, and where they are."""
        if self.said["kind"] != "GOODS":
            return []
        if not self.said["components"]:
            return [(self.said["sku"], 1, self.where)]
        return [
            (part["sku"], part["quantity"], part["location_id"] or self.where)
            for part in self.said["components"]
        ]


@dataclass
class Followed:
    """What follows from all documents of one sale."""

    lines: list[Line] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    discrepancies: list[Discrepancy] = field(default_factory=list)


def when(event: Any) -> tuple[int, bytes]:
    """In this order documents take effect."""
    return event["meta"]["occurred_at"], event["meta"]["event_id"]


def followed(transaction_id: bytes, documents: list[tuple[str, Any]]) -> Followed:
    """The sale first, then its corrections by time and event id, a void last."""
    told = sorted((event for name, event in documents if name == SALE), key=when)
    found = Followed()
    if told:
        _sell(found, told[0])
    corrections = [(name == "PurchaseVoided", when(event), name, event)
                   for name, event in documents if name in CORRECTIONS]  # fmt: skip
    for _, _, name, event in sorted(corrections, key=lambda one: one[:2]):
        sale = told[0] if told else None
        if name == "PurchaseReturned":
            for line in event["lines"]:
                _give_back(found, sale, event, line)
        elif name == "PriceAdjusted":
            _adjust(found, sale, event)
        else:
            _undo(found, sale, name, event)
    return found


def _sell(found: Followed, sale: Any) -> None:
    at, event_id = when(sale)
    if not _adds_up(sale):
        found.discrepancies.append(("sums", at, sale["transaction_id"], "", sale["location_id"], 0))
    for said in sale["lines"]:
        where = said["location_id"] or sale["location_id"]
        line = Line(said, where, said["quantity"])
        found.lines.append(line)
        for sku, many, place in line.goods():
            units = many * said["quantity"]
            if order := _order(sale, said):
                kind = "placed" if waits(said) else "rung"
                found.entries.append(
                    Entry(order, at, event_id, kind, sku, place, units,
                          expected_at=said["expected_at"])
                )  # fmt: skip
            else:
                found.moves.append(Move(sku, place, at, on_hand=-units))


def _adds_up(sale: Any) -> bool:
    """Whether lines and tenders, where they are told, come to the total; nothing is taxed here."""
    tenders = sale["tenders"] or [{"amount": sale["total"]}]
    sums = (sum(line["net_paid"] for line in sale["lines"]), sum(one["amount"] for one in tenders))
    return sums == (sale["total"], sale["total"])


def waits(said: Any) -> bool:
    """Whether the units of a line leave later: shipped, picked up, or preordered."""
    return said["fulfilment"] != "IMMEDIATE" or said["expected_at"] is not None


def _order(sale: Any, said: Any) -> bytes | None:
    """The order that a line belongs to; none where its units leave at once."""
    order = sale["order_id"]
    if waits(said):
        order = order or sale["transaction_id"]
    assert order is None or isinstance(order, bytes)
    return order


def _meant(found: Followed, line_no: int, sku: str | None) -> list[Line]:
    """The numbered line if that has the item, else lines of the item."""
    numbered = [line for line in found.lines
                if line.said["line_no"] == line_no and sku in (None, line.said["sku"])]  # fmt: skip
    return numbered or [line for line in found.lines if line.said["sku"] == sku]


def _give_back(found: Followed, sale: Any, event: Any, back: Any) -> None:
    meant, rest = _meant(found, back["line_no"], back["sku"]), back["quantity"]
    for line in meant:
        taken = min(rest, line.left)
        line.left, rest = line.left - taken, rest - taken
        fit = back["disposition"] == "BACK_IN_STOCK"
        _arrive(found, event, back, line.goods(), taken, fit)
        _had_left(found, sale, event, back, line, taken)
    if rest:
        alone = [(back["sku"], 1, "")]
        _arrive(found, event, back, meant[0].goods() if meant else alone, rest, False)
        kind = _kind(sale, meant)
        at, _ = when(event)
        found.discrepancies.append(
            (kind, at, event["transaction_id"], back["sku"], event["location_id"], rest)
        )


def _arrive(
    found: Followed, event: Any, back: Any, goods: list[tuple[str, int, str]], units: int, fit: bool
) -> None:
    """Units lie where they came back; unless they are fit for sale nobody may buy them."""
    if back["disposition"] == "NOT_RETURNED" or not units:
        return
    for sku, many, _ in goods:
        came = units * many
        found.moves.append(
            Move(sku, event["location_id"], when(event)[0], came, unavailable=0 if fit else came)
        )


def _had_left(
    found: Followed, sale: Any, event: Any, back: Any, line: Line, units: int
) -> None:  # fmt: skip
    """What comes back of a line that is shipped or picked up had left before."""
    if back["disposition"] == "NOT_RETURNED" or not waits(line.said):
        return
    order, at, event_id = _order(sale, line.said), *when(event)
    assert order is not None
    for sku, many, place in line.goods() if units else ():
        found.entries.append(Entry(order, at, event_id, "back", sku, place, units * many))


def _adjust(found: Followed, sale: Any, event: Any) -> None:
    """Money moves no goods; it may mean a line that is not there, or be more than what the units
    that are still sold cost.
    """
    at, _ = when(event)
    lines = [line for line in found.lines if line.said["line_no"] == event["line_no"]]
    if not lines:
        found.discrepancies.append(
            (_kind(sale, []), at, event["transaction_id"], "", event["location_id"], 0)
        )
        return
    (line,) = lines
    part = Fraction(line.left, line.said["quantity"]) if line.said["quantity"] else Fraction(1)
    costs = max(0, int((line.said["net_paid"] - line.lowered) * part))
    if part:
        line.lowered += min(costs, event["amount"]) / part
    if event["amount"] > costs:
        found.discrepancies.append(
            ("sums", at, event["transaction_id"], line.said["sku"], event["location_id"], 0)
        )


def _kind(sale: Any, meant: list[Line]) -> str:
    if sale is None:
        return "unknown_sale"
    return "over_return" if meant else "unknown_line"


def _undo(found: Followed, sale: Any, name: str, event: Any) -> None:
    """A void undoes all that is still sold, a cancel so many units of a line."""
    void = name == "PurchaseVoided"
    if void and sale is None:
        # what it repeats of the lines is not needed
        at, _ = when(event)
        found.discrepancies.append(
            ("unknown_sale", at, event["transaction_id"], "", event["location_id"], 0)
        )
        return
    for said in event["lines"] if void else [event]:
        meant, rest = _meant(found, said["line_no"], said["sku"]), said["quantity"]
        for line in meant:
            undone = line.left if void else min(rest, line.left)
            line.left -= undone
            rest -= undone
            _taken_back(found, sale, event, line, undone)
        if rest > 0:
            found.discrepancies.append(
                (_kind(sale, meant), when(event)[0], event["transaction_id"], said["sku"],
                 event["location_id"], rest)
            )  # fmt: skip


def _taken_back(found: Followed, sale: Any, event: Any, line: Line, units: int) -> None:
    at, event_id = when(event)
    for sku, many, place in line.goods() if units else ():
        if order := _order(sale, line.said):
            found.entries.append(
                Entry(order, at, event_id, "cancelled", sku, place, units * many,
                      expected_at=line.said["expected_at"])
            )  # fmt: skip
        else:
            found.moves.append(Move(sku, place, at, on_hand=units * many))


def still_sold(found: Followed) -> Iterator[tuple[int, str, int]]:
    """Line, item, and the units that are still sold."""
    for line in found.lines:
        yield line.said["line_no"], line.said["sku"], line.left
