"""The money of receipts: discounts, shipping, tax by rate, tenders, and what does not add up.

A cent of the generated tables is a yen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.demo.shop import names
from services.demo.shop.names import Json

LOWER_RATE, RATE = 800, 1_000  # hundredths of a percent
WHOLE = 10_000
LOWER_RATE_EVERY = 5  # items whose number is divisible by it
WRONG_EVERY = 301
SHIPPING = "SHIPPING"
_OF_TICKETS = ("CASH", "CARD", "E_MONEY")
_ON_DELIVERY_EVERY = 4
ON_DELIVERY, CARD, POINTS = "CASH_ON_DELIVERY", "CARD", "POINTS"


class DemoLine(NamedTuple):
    """A line of goods; money in yen, `net_paid` after the discount."""

    line_no: int
    item: int
    quantity: int
    unit_price: int
    net_paid: int
    discount: int

    @property
    def rate(self) -> int:
        return LOWER_RATE if self.item % LOWER_RATE_EVERY == 0 else RATE

    @property
    def with_one_unit_less(self) -> DemoLine:
        """The line as an amendment leaves it; it must have units."""
        left = self.quantity - 1
        return self._replace(
            quantity=left,
            net_paid=self.net_paid * left // self.quantity,
            discount=self.discount * left // self.quantity,
        )


@dataclass(frozen=True, slots=True)
class ReceiptMoney:
    """What a receipt comes to. `shipping`: yen; None on a ticket. `off`: added to the total."""

    lines: Sequence[DemoLine]
    shipping: int | None = None
    off: int = 0

    @property
    def total(self) -> int:
        return sum(line.net_paid for line in self.lines) + (self.shipping or 0) + self.off

    @property
    def taxes(self) -> list[Json]:
        """Net and tax of each rate that the receipt has a line of; tax is rounded down once."""
        gross: dict[int, int] = {}
        for line in self.lines:
            gross[line.rate] = gross.get(line.rate, 0) + line.net_paid
        if self.shipping is not None:
            gross[RATE] = gross.get(RATE, 0) + self.shipping
        found = []
        for rate, money in sorted(gross.items()):
            tax = money * rate // (WHOLE + rate)
            found.append({"rate_basis_points": rate, "net": money - tax, "tax": tax})
        return found

    @property
    def fields(self) -> Json:
        """Total, tax and discounts, as an event of the sale or of an amendment has them."""
        taxes = self.taxes
        discounts = [
            {"line_no": line.line_no, "amount": line.discount, "reason_code": "coupon"}
            for line in self.lines
            if line.discount
        ]
        return {
            "total": self.total,
            "tax": sum(rate["tax"] for rate in taxes),
            "tax_by_rate": taxes,
            **({"discounts": discounts} if discounts else {}),
        }

    def charged(self, store: int | None, fulfilment: Json) -> list[Json]:
        """The lines as an event has them; `fulfilment`: how goods leave."""
        found = [
            line_of(line, store)
            | {"tax_rate": line.rate, **({"discount": line.discount} if line.discount else {})}
            | fulfilment
            for line in self.lines
        ]
        if self.shipping is not None:
            found.append(self._shipping_line())
        return found

    def required(self, store: int | None) -> list[Json]:
        """The lines with nothing but what each must have."""
        return [line_of(line, store) for line in self.lines]

    def _shipping_line(self) -> Json:
        return {
            "line_no": len(self.lines) + 1,
            "sku": SHIPPING,
            "quantity": 1,
            "unit_price": self.shipping,
            "net_paid": self.shipping,
            "kind": "SHIPPING",
            "tax_rate": RATE,
        }


def line_of(line: DemoLine, store: int | None) -> Json:
    """The required fields of a line that was sold in a store, or by the web shop."""
    return {
        "line_no": line.line_no,
        "sku": names.code(line.item, store),
        "quantity": line.quantity,
        "unit_price": line.unit_price,
        "net_paid": line.net_paid,
    }


def is_wrong(receipt_place: int, what: str) -> bool:
    """Whether `what` (`total` or `tenders`) of the receipt at this position, from 1, is wrong."""
    nth, rest = divmod(receipt_place, WRONG_EVERY)
    return rest == 0 and what == ("total" if nth % 2 else "tenders")


def tenders(system: str, number: int, total: int, points: int, receipt_place: int) -> list[Json]:
    """How a sale was paid: first with points, of which one is a yen, then otherwise."""
    by_points = min(points, total)
    if system == names.POS:
        kind = _OF_TICKETS[number % len(_OF_TICKETS)]
    else:
        kind = CARD if number % _ON_DELIVERY_EVERY else ON_DELIVERY
    paid: list[Json] = [
        {"kind": how, "amount": amount}
        for how, amount in ((POINTS, by_points), (kind, total - by_points))
        if amount
    ]
    if paid and is_wrong(receipt_place, "tenders"):
        paid[-1]["amount"] -= 1
    return paid


class Sums:
    """Sums by tender and by tax rate, in yen."""

    def __init__(self) -> None:
        self._tenders: dict[str, int] = {}
        self._taxes: dict[int, tuple[int, int]] = {}

    def add(self, paid: Iterable[Json], taxes: Iterable[Json]) -> None:
        for tender in paid:
            kind = tender["kind"]
            self._tenders[kind] = self._tenders.get(kind, 0) + tender["amount"]
        for one in taxes:
            net, tax = self._taxes.get(one["rate_basis_points"], (0, 0))
            self._taxes[one["rate_basis_points"]] = (net + one["net"], tax + one["tax"])

    @property
    def fields(self) -> Json:
        """The sums as a closing has them."""
        return {
            "tenders": [{"kind": kind, "amount": sum_} for kind, sum_ in self._tenders.items()],
            "tax_by_rate": [
                {"rate_basis_points": rate, "net": net, "tax": tax}
                for rate, (net, tax) in self._taxes.items()
            ],
        }
