"""A plain model of a supplier's deliveries: single units of the lines of one document.

Written from the texts about stock, with none of the projections' code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID, uuid5

# discrepancies name a delivery by an id that is made of its document and item
NAMES = UUID("6a1f6a8e-2f0c-5a57-9f0a-5d1a0f6f2c11")


class OddReceipt(NamedTuple):
    """Units of a receipt that its document does not have, or not there; `place`: where it has."""

    kind: str
    receipt: Any
    units: int
    place: str


def documents_of(event: Any) -> set[str]:
    """The documents with which a receipt is compared."""
    return {(event.reference or "").strip(), event.document_id or ""} - {""}


def subject_of(document: str, sku: str) -> bytes:
    """The id by which discrepancies name what a document says of an item."""
    return uuid5(uuid5(NAMES, document), sku).bytes


class Delivery:
    """Units of one item that a supplier announced, line by line, less those that arrived.

    `incoming`: the place and time of each unit that is on its way. `odd`: what does not fit.
    """

    def __init__(self, document: str, own: list[Any]) -> None:
        own = sorted(own, key=lambda e: (e.meta.occurred_at, e.meta.event_id))
        told = [e for e in own if type(e).__name__ == "InboundExpected"]
        lines = {e.document_line: e for e in told}
        left = [line for line, e in lines.items() for _ in range(e.quantity)]
        places = sorted({e.location_id for e in told})
        self.odd: list[OddReceipt] = []
        came = odd = 0
        for number, event in enumerate(own):
            if type(event).__name__ == "InboundExpected" or not places:
                continue
            named = event.document_line if event.document_id == document else None
            most = max(_announced(own[: end + 1]) for end in range(number, len(own)))
            beyond = 0
            for _ in range(event.quantity):
                came += 1
                if came - odd > most:
                    odd, beyond = odd + 1, beyond + 1
                best = sorted(left, key=lambda line: (
                    named is None or line != named, lines[line].location_id != event.location_id,
                    lines[line].expected_at, -1 if line is None else line))  # fmt: skip
                if best:
                    left.remove(best[0])
            if beyond:
                self.odd.append(OddReceipt("over_received", event, beyond, places[0]))
            if event.location_id not in places and event.quantity > beyond:
                rest = event.quantity - beyond
                self.odd.append(OddReceipt("misrouted", event, rest, places[0]))
        self.incoming = [(lines[line].location_id, lines[line].expected_at) for line in left]


def _announced(own: list[Any]) -> int:
    """Units that are announced in all, each line as it was told last."""
    lines = {e.document_line: e.quantity for e in own if type(e).__name__ == "InboundExpected"}
    return sum(lines.values())


def preordered(asked: list[int], undone: list[int], free: int) -> Iterator[int]:
    """The times for which units of an order wait: of those that are left the latest.

    `asked`, `undone`: the time of each unit that was placed or cancelled, 0: at once. `free`: units
    that the order holds and that were not allocated.
    """
    dates = sorted(asked)
    for date in undone:
        if date in dates:
            dates.remove(date)
    yield from [date for date in dates if date][-free:] if free > 0 else []
