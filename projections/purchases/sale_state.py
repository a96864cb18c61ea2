"""What became of a sale, computed from all its documents. Pure.

The result depends on the set of documents alone. Corrections take effect in the order of (time,
event id), a void last. A return takes units of its line while there are any: what it names beyond
them is `over`. The line number identifies a line if it has the item that the correction names, in
the unit that it names; otherwise the item in this unit does. What names another unit means no line:
a piece of what was sold by weight cannot be taken off it. Any code of the item means the
item (`item_codes`). Corrections that the sale does not have are listed until people have decided
about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from projections.core.documents import Document, Documents
from projections.purchases.documents import (
    ADJUSTED,
    AMENDED,
    CANCELLED,
    COMPLETED,
    RETURNED,
    VOIDED,
    Back,
    Counted,
    Line,
)
from projections.purchases.item_codes import ANSWER, NamedCodes
from projections.purchases.receipts import EMPTY, Receipt, Told, gross, not_adding_up, receipt_of
from projections.purchases.settlements import SETTLED, Decision, Decisions
from projections.purchases.sold_units import Effect, SoldUnits
from schemas.barcodes import same_number
from schemas.measures import place

NOT_RETURNED = "NOT_RETURNED"
NONE, NO_CODES = Decisions({}), NamedCodes({})


@dataclass(slots=True)
class SettledSale:
    """A sale as all its documents together say.

    `known`: false before the sale's own event is applied. `document`: that event's id, "" before.
    `order`: the order that it serves; None if it names none, or itself. `sold`: the lines as they
    were sold. `replaced`: lines whose number an amendment gave to another item or unit, with their
    units that were gone by then. `served_twice`: units taken off because they were already handed
    out for the order. `told`, `told_lines`: the event that says the lines and the total last,
    the sale's or an amendment's, and these lines. `currency`, `receipt`: what it says beside them.
    `paid_in`: the currency of the sale's own event.
    `voided`: whether a void undid the sale.
    """

    known: bool = False
    document: str = ""
    at: int = 0
    owner: str | None = None
    channel: str = ""
    location: str = ""
    currency: str = ""
    total: int = 0
    paid_in: str = ""
    points_paid: int = 0
    order: str | None = None
    receipt_number: str | None = None
    business_date: int | None = None
    sold: tuple[Line, ...] = ()
    served_twice: int = 0
    lines: dict[int, SoldUnits] = field(default_factory=dict)
    replaced: dict[tuple[int, Counted], SoldUnits] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    decisions: Decisions = NONE
    codes: NamedCodes = NO_CODES
    told: str = ""
    told_at: int = 0
    told_lines: tuple[Line, ...] = ()
    receipt: Receipt = EMPTY
    voided: bool = False

    @property
    def not_adding_up(self) -> list[str]:
        """What does not come to the total: `lines`, `tax` or `tenders`; or the `currency` of an
        amendment, which is not the one that was paid in.

        Tenders paid the total before amendments; what was paid back since is not told.
        """
        receipt = self.receipt
        if self.told != self.document:
            receipt = replace(receipt, tenders=())
        parts = not_adding_up(self.told_lines, self.total, receipt)
        return parts if self.currency == self.paid_in else ["currency", *parts]

    @property
    def shown_lines(self) -> list[SoldUnits]:
        """The lines as they are now; without those that an amendment took off before anything of
        them was gone.
        """
        told = {line.line_no for line in self.told_lines}
        return [one for one in self.lines.values() if one.line.line_no in told or one.gone]

    def misfit(self, effect: Effect) -> str | None:
        """The kind of discrepancy that a document's effect is; None if it fits the sale."""
        if not self.known:
            return "unknown_sale"
        if effect.beyond:
            return "sums"
        if not effect.over:
            return None
        return "unknown_line" if effect.line is None else "over_return"

    def decision(self, effect: Effect) -> Decision | None:
        """What people decided about an effect that does not fit."""
        kind = self.misfit(effect)
        if kind is None:
            return None
        at = place(effect.location, effect.unit)
        return self.decisions.about(kind, effect.document, effect.sku, at)

    def take_off(self, served_twice: Mapping[Counted, int]) -> None:
        """Reduces lines by units that were rung up although an order had been given them before.

        `served_twice`: units by item and unit.
        """
        left = dict(served_twice)
        for sold in self.lines.values():
            units = max(0, min(left.get(sold.line.counted, 0), sold.open))
            if units:
                left[sold.line.counted] -= units
                paid = sold.line.paid * (sold.line.quantity - units) // sold.line.quantity
                sold.lowered *= Fraction(sold.line.quantity - units, sold.line.quantity)
                sold.line = sold.line._replace(quantity=sold.line.quantity - units, paid=paid)
                self.served_twice += units

    @property
    def sells_anything(self) -> bool:
        """Whether the sale has units beside those that an order had been given before."""
        return not self.served_twice or any(sold.line.quantity for sold in self.lines.values())


def settled(documents: Documents) -> SettledSale:
    """The sale, its lines, and the effect of each correction."""
    sale = SettledSale()
    if len(documents) > 1:
        sale.decisions, sale.codes = Decisions(documents), NamedCodes(documents)
    told = sorted((one[1], name) for name, one in documents.items() if one[0] == COMPLETED)
    if told:
        _tell(sale, told[0][1], documents[told[0][1]])
    for name, document in _corrections(documents):
        _CORRECTIONS[document[0]](sale, name, document)
    return sale


def _tell(sale: SettledSale, name: str, document: Document) -> None:
    sale.known, sale.document = True, name
    (
        _, sale.at, sale.owner, sale.channel, sale.location, sale.currency, sale.total,
        sale.points_paid, sale.order, lines, *printed,
    ) = document  # fmt: skip
    sale.paid_in = sale.currency
    if printed:
        sale.receipt_number, sale.business_date = printed[:2]
    sale.told, sale.told_at = name, sale.at
    if len(printed) > 2:
        sale.receipt = receipt_of(printed[2])
    sale.sold = sale.told_lines = tuple(Line(*values) for values in lines)
    sale.lines = {line.line_no: SoldUnits(line) for line in sale.sold}


def _corrections(documents: Documents) -> Iterable[tuple[str, Document]]:
    """The documents that correct the sale: by time, then id; voids after all others."""
    order = sorted(
        (document[0] == VOIDED, document[1], name)
        for name, document in documents.items()
        if document[0] not in (COMPLETED, SETTLED, ANSWER)
    )
    return [(name, documents[name]) for _, _, name in order]


def _return(sale: SettledSale, name: str, document: Document) -> None:
    _, at, location, lines, *refunded = document
    for total, told in refunded:
        if total > gross(told, sale.told_lines, sale.total, sale.receipt):
            sale.effects.append(
                Effect(
                    document=name, kind=RETURNED, at=at, location=location, sku="", beyond=total
                )
            )  # fmt: skip
    for back in (Back(*values) for values in lines):
        left, meant = back.quantity, _lines_of(sale, back.line_no, back.sku, back.unit)
        for sold in meant:
            units = min(left, sold.open)
            if units <= 0:
                continue
            left -= units
            if back.disposition == NOT_RETURNED:
                sold.refunded += units
            else:
                sold.returned += units
            sale.effects.append(
                Effect(
                    document=name, kind=RETURNED, at=at, location=location, sku=back.sku,
                    units=units, line=sold.line, disposition=back.disposition, unit=back.unit,
                )
            )  # fmt: skip
        if left > 0:
            sale.effects.append(
                Effect(
                    document=name, kind=RETURNED, at=at, location=location, sku=back.sku,
                    over=left, line=meant[0].line if meant else None,
                    disposition=back.disposition, unit=back.unit,
                )
            )  # fmt: skip


def _cancel(sale: SettledSale, name: str, document: Document) -> None:
    _, at, location, line_no, sku, quantity, *measured = document
    unit = measured[0] if measured else None
    meant = _lines_of(sale, line_no, sku, unit)
    left = quantity
    for sold in meant:
        units = max(0, min(left, sold.open))
        left -= units
        sold.cancelled += units
        sale.effects.append(
            Effect(
                document=name, kind=CANCELLED, at=at, location=location, sku=sold.line.sku,
                units=units, line=sold.line, unit=unit,
            )
        )  # fmt: skip
    if left > 0:
        line = meant[0].line if meant else None
        sale.effects.append(
            Effect(
                document=name, kind=CANCELLED, at=at, location=location, over=left, line=line,
                sku=sku or _sku_of(sale, line_no), unit=unit,
            )
        )  # fmt: skip


def _lines_of(
    sale: SettledSale, line_no: int, sku: str | None, unit: str | None
) -> list[SoldUnits]:
    """The lines that a correction can mean: the numbered one, else those of the item.

    Only lines that are counted in the unit of the correction. A barcode may be written in another
    length than when it was sold. Lines that were sold by the very code come first.
    """
    numbered = sale.lines.get(line_no)
    every = [*sale.lines.values(), *sale.replaced.values()]
    meant = set[str]()
    if sale.codes and sku is not None:
        meant = sale.codes.meant(sku, (one.line.sku for one in every if one.line.unit == unit))
    named = (
        numbered is not None
        and numbered.line.quantity
        and (sku is None or numbered.line.sku in meant or same_number(sku, numbered.line.sku))
    )
    if numbered is not None and named and numbered.line.unit == unit:
        return [numbered]
    if not meant:
        found = [sold for sold in every if sold.line.counted == (sku, unit)]
        if found or sku is None:
            return found
        meant = {one.line.sku for one in every if same_number(sku, one.line.sku)}
    found = [one for one in every if one.line.unit == unit and one.line.sku in meant]
    return sorted(found, key=lambda one: one.line.sku != sku)


def _sku_of(sale: SettledSale, line_no: int) -> str:
    sold = sale.lines.get(line_no)
    return sold.line.sku if sold is not None and sold.line.quantity else ""


def _void(sale: SettledSale, name: str, document: Document) -> None:
    """Undoes what is still sold; units that were gone before are `over`."""
    _, at, location = document
    sale.voided = True
    if not sale.known:
        sale.effects.append(Effect(document=name, kind=VOIDED, at=at, location=location, sku=""))
    for sold in (*sale.lines.values(), *sale.replaced.values()):
        units, over = max(0, sold.open), sold.gone
        sold.voided += units
        sale.effects.append(
            Effect(
                document=name, kind=VOIDED, at=at, location=location, sku=sold.line.sku,
                units=units, over=over, line=sold.line, unit=sold.line.unit,
            )
        )  # fmt: skip


def _amend(sale: SettledSale, name: str, document: Document) -> None:
    """Replaces the lines; units that are gone already cannot be taken off again."""
    _, at, location, currency, total, lines, *more = document
    if not sale.known:
        sale.effects.append(Effect(document=name, kind=AMENDED, at=at, location=location, sku=""))
        return
    _say_anew(sale, name, at, total, lines, *more)
    sale.currency = currency
    now = {line.line_no: _as_sold(sale, line) for line in sale.told_lines}
    kept = {id(sold): sold.kept for sold in (*sale.lines.values(), *sale.replaced.values())}

    effects: list[Effect] = []

    def noted(line: Line, units: int, over: int = 0) -> None:
        if units or over:
            effects.append(
                Effect(
                    document=name, kind=AMENDED, at=at, location=location, sku=line.sku,
                    units=units, over=over, line=line, unit=line.unit,
                )
            )  # fmt: skip

    def taken_off(sold: SoldUnits) -> None:
        noted(sold.line, sold.open)
        sold.line = sold.line._replace(quantity=sold.gone)

    for line_no, sold in list(sale.lines.items()):
        line = now.get(line_no)
        if line is None or line.counted != sold.line.counted:
            taken_off(sold)
            sold.line, sold.lowered = sold.line._replace(paid=0), Fraction(0)
            if line is not None:
                sale.replaced[line_no, sold.line.counted] = sale.lines.pop(line_no)
    for line_no, line in now.items():
        before = (line_no, line.counted)
        sold = sale.lines.get(line_no) or sale.replaced.pop(before, SoldUnits(line))
        if line_no not in sale.lines and sold.line is line:
            sold.line = line._replace(quantity=0)
        sale.lines[line_no] = sold
        if _way(sale, sold.line) != _way(sale, line):
            taken_off(sold)
        fewer = sold.line.quantity - line.quantity
        units = min(fewer, sold.open)
        noted(line, units, fewer - units)
        sold.line = line._replace(quantity=sold.line.quantity - units)
    for sold in sale.lines.values():
        if sold.lowered:  # what was given back of units that are still sold stays given back
            sold.lowered *= kept[id(sold)] / sold.kept if sold.kept else 0
    # first the units that are no longer sold, so that an order has them back for the others
    sale.effects += sorted(effects, key=lambda effect: effect.units < 0)


def _as_sold(sale: SettledSale, line: Line) -> Line:
    """A line of an amendment, by the code by which the line of its number was sold."""
    sold = sale.lines.get(line.line_no)
    if sold is None or not sale.codes or not sale.codes.same(line.sku, sold.line.sku):
        return line
    return line._replace(sku=sold.line.sku)


def _say_anew(
    sale: SettledSale, name: str, at: int, total: int, lines: Iterable[Any],
    told: Told | None = None,
) -> None:  # fmt: skip
    """The receipt as an amendment says it; how the sale was paid and who sold stays."""
    before, now = sale.receipt, EMPTY if told is None else receipt_of(told)
    sale.total, sale.told, sale.told_at = total, name, at
    sale.told_lines = tuple(Line(*values) for values in lines)
    sale.receipt = replace(
        now, tenders=before.tenders, staff_code=before.staff_code,
        register_code=before.register_code, registration_number=before.registration_number,
    )  # fmt: skip


def _way(sale: SettledSale, line: Line) -> tuple[object, ...]:
    """Whether and from where units of a line leave at once; others are entries of an order, with
    the time for which they are promised.
    """
    parts = [list(part) for part in line.components]
    return line.location or sale.location, line.at_once, line.expected_at, line.goods, parts


def _adjust(sale: SettledSale, name: str, document: Document) -> None:
    _, at, location, currency, line_no, amount = document
    sold = sale.lines.get(line_no)
    if sold is None:
        sale.effects.append(
            Effect(document=name, kind=ADJUSTED, at=at, location=location, sku="", over=1)
        )
    elif beyond := sold.give_back(amount) if currency == sale.currency else amount:
        sale.effects.append(
            Effect(
                document=name, kind=ADJUSTED, at=at, location=location, sku=sold.line.sku,
                line=sold.line, beyond=beyond,
            )
        )  # fmt: skip


_CORRECTIONS = {
    RETURNED: _return,
    CANCELLED: _cancel,
    VOIDED: _void,
    AMENDED: _amend,
    ADJUSTED: _adjust,
}
