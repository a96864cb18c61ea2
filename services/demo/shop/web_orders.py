"""The web shop's orders: placed, and some of them amended, or a price adjusted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from services.demo.shop import names
from services.demo.shop.moments import DemoMoment
from services.demo.shop.money import DemoLine, ReceiptMoney
from services.demo.shop.names import Json
from services.demo.shop.rows import Rows
from services.demo.shop.sales import COLUMNS, DemoSale, Redemptions, events_of, sales

_ORDERS = f"""{COLUMNS}
FROM web_order JOIN web_line USING (number) JOIN shop.date_dim ON d_date_sk = date_sk
JOIN of_both ON of_both.channel = 'EC' AND of_both.number = web_order.number
WHERE place % $1 = 0
ORDER BY d_date, second, web_order.number, line_no
""".replace("SELECT number", "SELECT web_order.number")
AMENDED_EVERY, ADJUSTED_EVERY = 41, 67
_AMENDED, _ADJUSTED = timedelta(hours=12), timedelta(hours=1)
_PART = 10  # of the first line's money


def orders(rows: Rows, redeemed: Redemptions) -> Iterator[DemoMoment]:
    """The web shop's orders by time, each with its events."""
    for sale, lines in sales(rows.stream(_ORDERS, 1), names.EC):
        yield DemoMoment(sale.at, list(events_of(sale, lines, redeemed)))


def amendments(rows: Rows) -> Iterator[DemoMoment]:
    """Orders of which one unit is taken off, by time."""
    for sale, lines in sales(rows.stream(_ORDERS, AMENDED_EVERY), names.EC):
        place = next((at for at, line in enumerate(lines) if line.quantity > 1), None)
        if place is not None:
            lines[place] = lines[place].with_one_unit_less
            yield DemoMoment(sale.at + _AMENDED, [_amended(sale, lines)])


def adjustments(rows: Rows) -> Iterator[DemoMoment]:
    """Orders of which a part of the first line's price is given back, by time."""
    for sale, lines in sales(rows.stream(_ORDERS, ADJUSTED_EVERY), names.EC):
        amount = lines[0].net_paid // _PART
        if amount:
            event = _about(sale, "PriceAdjusted", _ADJUSTED)
            event |= {"line_no": lines[0].line_no, "amount": amount, "reason_code": "complaint"}
            yield DemoMoment(sale.at + _ADJUSTED, [event])


def is_amended(order_place: int, is_first_of_several: bool | None) -> bool:
    """Whether a line has one unit less after a while: the first of several units in some orders.

    `order_place`: its order's position, from 1, among all orders.
    """
    return order_place % AMENDED_EVERY == 0 and bool(is_first_of_several)


def _amended(sale: DemoSale, lines: list[DemoLine]) -> Json:
    money = ReceiptMoney(lines, sale.shipping)
    event = _about(sale, "PurchaseAmended", _AMENDED)
    return event | money.fields | {"lines": money.charged(sale.store, sale.fulfilment)}


def _about(sale: DemoSale, kind: str, after: timedelta) -> dict[str, Any]:
    event: Json = {
        "type": kind,
        "meta": names.meta(
            names.EC,
            names.demo_id(kind, names.EC, sale.number),
            sale.at + after,
            correlation=sale.transaction,
        ),
        "transaction_id": sale.transaction,
        "location_id": sale.location,
        "currency": names.CURRENCY,
        "document_id": f"{names.EC}-{sale.number}-{kind}",
    }
    if sale.profile is not None:
        event["profile_id"] = sale.profile
    return event
