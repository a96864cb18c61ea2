"""Which units does a sale move? Pure.

Lines that leave at once (`IMMEDIATE`) lower on hand when sold. Lines that are shipped or picked up
later are entries of their order, whose documents say when units leave. What comes back raises on
hand where it came back. Units beyond what was sold raise on hand and unavailable alike: they are
there, but nobody may promise them until somebody has settled whose they are: then they may be
promised, or were never there. What comes back of a line that is shipped or picked up tells its
order that it had left. Of a set its components move. What is measured moves in its own unit, at
its own place (`schemas.measures`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from projections.core.documents import Document, Documents
from projections.core.tables import RowKey
from projections.purchases.documents import COMPLETED, RETURNED, Line
from projections.purchases.sale_state import NOT_RETURNED, SettledSale, settled
from projections.purchases.settlements import DOCUMENT_WRONG
from projections.purchases.sold_units import Effect
from projections.shared_stock.moves import Move
from projections.shared_stock.order_steps import CAME_BACK, CANCELLED, PLACED, SERVED, UNSERVED
from projections.shared_stock.orders import of_entries
from schemas.measures import THOUSANDTHS
from schemas.measures import place as place_of

SELLABLE = "BACK_IN_STOCK"
PLAIN = 4  # values of a line that leaves at once, from the sale's location


@dataclass(frozen=True, slots=True)
class OrderEntries:
    """What a sale says about an order: its document among the order's documents."""

    order_id: bytes
    document: Document


Moved = tuple[str, Move | OrderEntries]


def sold_at_once(documents: Documents) -> Document | None:
    """The sale, if nothing else is told of it and every line leaves at once from its location:
    most sales. Then each line is (number, sku, quantity, paid) and nothing has to be settled.
    """
    if len(documents) != 1:
        return None
    (document,) = documents.values()
    if document[0] != COMPLETED or document[8] is not None:
        return None
    for line in document[9]:
        if len(line) != PLAIN:
            return None
    return document


def moves(key: RowKey, documents: Documents) -> Iterator[Moved]:
    """Moves by the document that makes them, and what the sale's order has to know."""
    yield from _settled_moves(key, settled(documents))


def _settled_moves(key: RowKey, sale: SettledSale) -> Iterator[Moved]:
    entries: list[Document] = []
    for line in sale.sold:
        yield from _units(sale, line, sale.document, sale.at, -line.quantity, entries)
    for effect in sale.effects:
        if effect.kind == RETURNED:
            yield from _came_back(sale, effect, entries)
        elif effect.line is not None and effect.units:
            yield from _units(sale, effect.line, effect.document, effect.at, effect.units, entries)
    if entries:
        order_id = key[0] if sale.order is None else bytes.fromhex(sale.order)
        yield key[0].hex(), OrderEntries(order_id, of_entries(entries))


def _units(
    sale: SettledSale, line: Line, document: str, at: int, units: int, entries: list[Document]
) -> Iterator[Moved]:
    """Units of a line that were sold (negative) or are no longer sold: moves of stock at once, or
    entries of the order whose documents say when units leave.
    """
    for sku, many, location, unit in _parts(line, abs(units)):
        place = place_of(location or line.location or sale.location, unit)
        if not line.at_once:
            entry = [document, at, PLACED if units < 0 else CANCELLED, sku, place, many]
            entries.append(entry if line.expected_at is None else [*entry, line.expected_at])
        elif sale.order is not None:
            entries.append([document, at, SERVED if units < 0 else UNSERVED, sku, place, many])
        else:
            yield document, Move(sku, place, at, many if units > 0 else -many)


def _parts(line: Line, units: int) -> list[tuple[str, int, str | None, str | None]]:
    """The stock in `units` of a sale line, as (sku, amount, location, unit).

    Of a set, one entry for each component. Empty for a line that is not goods.
    """
    if not line.goods:
        return []
    if line.components:
        return [_component(line, units, *part) for part in line.components]
    return [(line.sku, units, None, line.unit)]


def _component(
    line: Line, sets: int, sku: str, each: int, location: str | None, unit: str | None = None
) -> tuple[str, int, str | None, str | None]:
    """So much of a component is in so many sets. Of a set that is sold by weight, thousandths of
    thousandths are cut off.
    """
    if line.unit is None:
        return sku, sets * each, location, unit
    return sku, sets * each // (1 if unit is None else THOUSANDTHS), location, unit or ""


def _came_back(sale: SettledSale, effect: Effect, entries: list[Document]) -> Iterator[Moved]:
    """Units that came back, and units that people decided not to be there or to be sellable."""
    if effect.disposition == NOT_RETURNED:
        return
    decision = sale.decision(effect)
    resolution = None if decision is None else decision.resolution
    over = 0 if resolution == DOCUMENT_WRONG else effect.over
    blocked = over + (0 if effect.disposition == SELLABLE else effect.units)
    back = effect.line or Line(0, effect.sku, 0, 0, unit=effect.unit)
    every = [_parts(back, units) for units in (effect.units + over, blocked, over, effect.units)]
    for (sku, units, location, unit), unfit, beyond, fits in zip(*every, strict=True):
        here = place_of(effect.location, unit)
        if units:
            yield effect.document, Move(sku, here, effect.at, units, unavailable=unfit[1])
        if decision is not None and over and effect.disposition == SELLABLE:
            at = max(decision.at, effect.at)
            yield decision.document, Move(sku, here, at, unavailable=-beyond[1])
        if effect.line is not None and effect.units and not effect.line.at_once:
            place = place_of(location or effect.line.location or sale.location, unit)
            entries.append([effect.document, effect.at, CAME_BACK, sku, place, fits[1]])
