"""The moves of an order's item whose documents are plain, as those of most items are. Pure.

The rules are those of `orders.py`. At one location and without tills, dates or goods that came back
before they left, they are sums; an order of many lines is computed anew with each document.
"""

from __future__ import annotations

from collections.abc import Sequence

from projections.shared_stock.moves import Move
from projections.shared_stock.order_steps import (
    ALLOCATED,
    CAME_BACK,
    CANCELLED,
    PLACED,
    RELEASED,
    RESERVED,
    SHIPPED,
    OrderStep,
)


def plain_moves(sku: str, steps: Sequence[OrderStep]) -> list[tuple[str, Move]] | None:
    """The moves of an item, of which all documents fit; None if its documents are not so plain.

    `steps`: in the order of (time, event id).
    """
    kinds = (PLACED, CANCELLED, ALLOCATED, RESERVED, SHIPPED, RELEASED, CAME_BACK)
    units = dict.fromkeys(kinds, 0)
    location, before = steps[0].location, 0
    promises: list[tuple[str, Move]] = []
    shipments: list[tuple[str, Move]] = []
    for step in steps:
        kind = step.kind
        if kind not in units or step.expected_at is not None:
            return None
        if step.location != location and kind != CAME_BACK:
            return None
        units[kind] += step.quantity
        if units[CAME_BACK] > units[SHIPPED]:
            return None
        ordered = max(units[PLACED], units[ALLOCATED], units[RESERVED])
        ended = units[SHIPPED] + max(units[CANCELLED], units[RELEASED])
        now = max(0, ordered - ended)
        if now != before:
            promises.append((step.document, Move(sku, location, step.at, committed=now - before)))
            before = now
        if kind == SHIPPED:
            shipments.append((step.document, Move(sku, location, step.at, -step.quantity)))
    return promises + shipments if ended <= ordered else None
