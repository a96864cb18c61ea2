"""The documents of one sale, as `sale.documents` holds them: short lists of JSON values.

Instants are microseconds since the epoch, money minor units, ids 32 hex digits, quantities amounts
(`schemas.measures`). A line is `Line` and a returned line `Back`, without the defaults at
their end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from projections.core.documents import Document, Documents
from projections.purchases.receipts import not_adding_up, receipt_of, told_by
from schemas.barcodes import longest
from schemas.generated.events import (
    OrderLineCancelled,
    PriceAdjusted,
    PurchaseAmended,
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
)
from schemas.generated.events.parts import LineComponent, PurchaseLine, ReturnedLine, Tender
from schemas.measures import amount

COMPLETED, RETURNED, VOIDED = "sale", "return", "void"
CANCELLED, AMENDED, ADJUSTED = "cancel", "amend", "price"
AT_ONCE = "IMMEDIATE"
Counted = tuple[str, str | None]
"""An item, and the unit in which it is counted (null: pieces). Amounts of two are never added."""


class Line(NamedTuple):
    """A line of a sale.

    `location`: where its units leave from; null: the sale's. `kind`: other than goods moves no
    stock. `components`: [sku, units in one set, location or null], if the item is a set; of what is
    measured also the unit. `expected_at`: of a preorder, when its units are expected. `unit`: of
    the quantity; null for pieces.
    """

    line_no: int
    sku: str
    quantity: int
    paid: int
    location: str | None = None
    fulfilment: str = AT_ONCE
    gift: bool = False
    kind: str = "GOODS"
    components: tuple[tuple[Any, ...], ...] | list[Any] = ()
    expected_at: int | None = None
    unit: str | None = None

    @property
    def counted(self) -> Counted:
        """The item and the unit in which it is counted."""
        return self.sku, self.unit

    @property
    def at_once(self) -> bool:
        """Whether its units leave when they are sold; what is still expected cannot."""
        return self.fulfilment == AT_ONCE and self.expected_at is None

    @property
    def goods(self) -> bool:
        """Whether units of it are in stock, suppress, and were bought to be had."""
        return self.kind == "GOODS"


class Back(NamedTuple):
    """Units of a line that came back, or money for units that did not."""

    line_no: int
    sku: str
    quantity: int
    disposition: str
    unit: str | None = None


_PLAIN_LINE = (None, AT_ONCE, False, "GOODS", (), None)


def of_sale(event: PurchaseCompleted) -> Document:
    """[kind, at, owner, channel, location, currency, total, paid with points, order, lines], and
    if anything of it was told [receipt number, business date], and [what else the receipt says].

    `owner`: null for a guest. `order`: the order that the sale serves, null if it is the sale.
    """
    owner, order = event.profile_id, event.order_id
    receipt = told_by(event)
    printed: Document = []
    if event.receipt_number is not None or event.business_date is not None or receipt is not None:
        printed = [event.receipt_number, event.business_date]
        if receipt is not None:
            printed.append(receipt)
    return [
        COMPLETED,
        event.meta.occurred_at,
        None if owner is None else owner.hex(),
        event.meta.producer.channel,
        event.location_id,
        event.currency,
        event.total,
        _by_points(event.tenders) if event.tenders else 0,
        None if order is None or order == event.transaction_id else order.hex(),
        [_line(line, event.location_id) for line in event.lines],
        *printed,
    ]


def adds_up(sale: Document) -> bool:
    """Whether everything that a sale's document says of money comes to its total."""
    if len(sale) < 13:
        return True
    lines = [Line(*values) for values in sale[9]]
    return not not_adding_up(lines, sale[6], receipt_of(sale[12]))


def codes_named_otherwise(documents: Documents) -> Collection[str]:
    """All codes in the documents of a sale, if a correction names a line by another code than it
    was sold by; else none.
    """
    if len(documents) == 1:
        return ()
    sold = {
        line[0]: longest(line[1])
        for document in documents.values()
        if document[0] == COMPLETED
        for line in document[9]
    }
    named = [*_named(documents)]
    codes, known = set(sold.values()), bool(sold)
    if known and any(
        code not in codes or (line_no in sold and sold[line_no] != code) for line_no, code in named
    ):
        return codes.union(code for _, code in named)
    return ()


def _named(documents: Documents) -> Iterator[tuple[int, str]]:
    """The line numbers and codes in the corrections of a sale."""
    for document in documents.values():
        if document[0] == RETURNED:
            yield from ((line[0], longest(line[1])) for line in document[3])
        elif document[0] == AMENDED:
            yield from ((line[0], longest(line[1])) for line in document[5])
        elif document[0] == CANCELLED and document[4] is not None:
            yield document[3], longest(document[4])


def shop_day(location_id: str, day: int) -> str:
    """By what sales of a location and day (since 1970-01-01) are found."""
    return f"{day} {location_id}"


def found_by(sale: Document) -> tuple[str | None, str | None, str | None]:
    """Receipt number, order id and `shop_day` of a sale's document.

    A sale that names no business date is not found by its day: an index of every sale by its day
    would cost as much as the sale.
    """
    if len(sale) == 10:
        return None, sale[8], None
    receipt, day = sale[10:12]
    return receipt, sale[8], None if day is None else shop_day(sale[4], day)


def of_return(event: PurchaseReturned) -> Document:
    """[kind, at, location, lines], and where more was refunded in all than the lines say [the
    total, what the lines say].
    """
    lines = sum(line.refund for line in event.lines)
    return [
        RETURNED,
        event.meta.occurred_at,
        event.location_id,
        [_back(line) for line in event.lines],
        *([[event.total, lines]] if event.total > lines else []),
    ]


def of_void(event: PurchaseVoided) -> Document:
    """[kind, at, location]: a void undoes every line, whatever it repeats of them."""
    return [VOIDED, event.meta.occurred_at, event.location_id]


def of_cancel(event: OrderLineCancelled) -> Document:
    """[kind, at, location, line number, sku or null, quantity], and the unit if it is measured."""
    quantity, unit = amount(event.quantity, event.unit, event.scale)
    return [
        CANCELLED, event.meta.occurred_at, event.location_id, event.line_no, event.sku, quantity,
        *([] if unit is None else [unit]),
    ]  # fmt: skip


def of_amendment(event: PurchaseAmended) -> Document:
    """[kind, at, location, currency, total, lines]: the lines as they are from then on, and if
    anything of it was told [what else the receipt says].
    """
    receipt = told_by(event)
    return [
        AMENDED, event.meta.occurred_at, event.location_id, event.currency, event.total,
        [_line(line, None) for line in event.lines], *([] if receipt is None else [receipt]),
    ]  # fmt: skip


def of_price(event: PriceAdjusted) -> Document:
    """[kind, at, location, currency, line number, money given back]."""
    return [
        ADJUSTED, event.meta.occurred_at, event.location_id, event.currency, event.line_no,
        event.amount,
    ]  # fmt: skip


def _line(line: PurchaseLine, location_id: str | None) -> Document:
    """`location_id`: the sale's, where the document that has the line says it."""
    plain = [line.line_no, line.sku, line.quantity, line.net_paid]
    components = line.components
    more = (
        None if line.location_id == location_id else line.location_id,
        line.fulfilment,
        line.is_gift,
        line.kind,
        tuple(map(_component, components)) if components else (),
        line.expected_at,
    )
    if line.scale or line.unit is not None:
        plain[2], unit = amount(line.quantity, line.unit, line.scale)
        if unit is not None:
            return [*plain, *more, unit]
    if more == _PLAIN_LINE:
        return plain
    # a line of before has no `expected_at`: such documents stay as they are
    return plain + list(more if line.expected_at is not None else more[:-1])


def _component(part: LineComponent) -> tuple[Any, ...]:
    quantity, unit = amount(part.quantity, part.unit, part.scale)
    plain = (part.sku, quantity, part.location_id)
    return plain if unit is None else (*plain, unit)


def _back(line: ReturnedLine) -> Document:
    quantity, unit = amount(line.quantity, line.unit, line.scale)
    plain = [line.line_no, line.sku, quantity, line.disposition]
    return plain if unit is None else [*plain, unit]


def _by_points(tenders: Iterable[Tender]) -> int:
    return sum(one.amount for one in tenders if one.kind == "POINTS")
