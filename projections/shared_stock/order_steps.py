"""What a document does to one item of an order, and the kinds of that."""

from __future__ import annotations

from typing import NamedTuple

PLACED, CANCELLED, SERVED, UNSERVED = "placed", "cancelled", "served", "unserved"
CAME_BACK = "came back"
ALLOCATED, RESERVED, SHIPPED, RELEASED = "allocated", "reserved", "shipped", "released"


class OrderStep(NamedTuple):
    """What one document does to one item; steps are ordered by (at, event id, number).

    `expected_at`: of a preorder, the time for which its units are promised. `named`: the code that
    the document named, where it is another of the item.
    """

    at: int
    document: str
    number: int
    kind: str
    location: str
    quantity: int
    expected_at: int | None = None
    named: str | None = None
