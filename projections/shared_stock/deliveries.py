"""Which units of an announced delivery are still on their way? Pure.

A set has the documents about one item of one purchase order or shipping notice: what is expected
(`InboundExpected`), what arrived (a receipt that refers to it, or has its name), and decisions of
people about what does not fit.

incoming = expected - received, never below 0, by line of the document; where and when the newest
           announcement of the line says

Each unit in which the item is counted is told and received for itself; locations are places
(`schemas.measures`). A line that is told anew in another unit is expected in that unit alone, and
a receipt in a unit that is not announced is one of units too many.

The quantity is that of the whole line: telling it anew moves its date or its place, and 0 says that
nothing more will come. A receipt takes units of its own line first, then of lines that are expected
where it arrived, the earliest first. Received units are on hand whatever was expected: only what is
incoming moves here, and where people decided that a receipt is wrong, what it says too much or that
it names another place than the one announced. All sums are of the whole set; what a document
changes is the difference between the sums up to it, in the order of (time, event id), and the sums
before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple
from uuid import UUID, uuid5

from projections.core.documents import Document, Documents
from projections.purchases.settlements import DOCUMENT_WRONG, SETTLED, Decisions
from projections.shared_stock.moves import DatedMove, DatedUnits, Misfit, Move, dated_moves
from projections.shared_stock.orders import decided
from schemas.generated.events import InboundExpected, StockReceived
from schemas.measures import amount, everywhere, location_and_unit, place

DELIVERIES = UUID("6a1f6a8e-2f0c-5a57-9f0a-5d1a0f6f2c11")
EXPECTED, RECEIVED = "expected", "received"
NO_LINE = -1
Incoming = Counter[tuple[str, int]]
"""Units on their way, by location and the time at which they are expected."""


class DeliveryStep(NamedTuple):
    """What one document says about a delivery; steps are ordered by (at, event id).

    `line`: the line of the purchase order or shipping notice; -1 if the document names none.
    `expected_at`: when announced units are due; 0 for a receipt. `elsewhere`: a receipt with an id
    of its own that refers to this delivery; it is also in the set of its own id.
    """

    at: int
    document: str
    kind: str
    location: str
    line: int
    quantity: int
    expected_at: int
    elsewhere: bool = False


def delivery_id(document_id: str, sku: str) -> bytes:
    """The id of what one purchase order or shipping notice says of one item."""
    return uuid5(uuid5(DELIVERIES, document_id), sku).bytes


def of_expected(event: InboundExpected) -> Document:
    """[kind, at, sku, location, line, quantity, expected at]."""
    line = NO_LINE if event.document_line is None else event.document_line
    at, (quantity, unit) = event.meta.occurred_at, amount(event.quantity, event.unit, event.scale)
    location = place(event.location_id, unit)
    return [EXPECTED, at, event.sku, location, line, quantity, event.expected_at]


def of_receipt(event: StockReceived) -> Iterator[tuple[bytes, Document]]:
    """What a receipt is compared with, by delivery: that of its own name and of what it refers to.

    Its line is one of its own document.
    """
    quantity, unit = amount(event.quantity, event.unit, event.scale)
    said = [RECEIVED, event.meta.occurred_at, event.sku, place(event.location_id, unit)]
    own = event.document_id
    if own is not None:
        line = NO_LINE if event.document_line is None else event.document_line
        yield delivery_id(own, event.sku), [*said, line, quantity, 0]
    refers = event.reference.strip() if event.reference is not None else own
    if refers and refers != own:
        document = [*said, NO_LINE, quantity, 0]
        yield delivery_id(refers, event.sku), document if own is None else [*document, True]


def moves(
    documents: Documents,
) -> tuple[list[tuple[str, Move | DatedMove]], list[DatedUnits], list[Misfit]]:
    """The moves of each document, the units that are still on their way, and what does not fit."""
    steps = list[DeliveryStep]()
    sku = ""
    for name, (kind, at, *rest) in documents.items():
        if kind != SETTLED:
            sku, *own = rest
            steps.append(DeliveryStep(at, name, kind, *own))
    steps.sort()
    decisions = Decisions(documents)
    made: list[tuple[str, Move | DatedMove]] = []
    units: list[DatedUnits] = []
    misfits: list[Misfit] = []
    for unit in sorted({everywhere(step.location) for step in steps}):
        own_moves, own_units, own_misfits = _moves(sku, _in_unit(steps, unit), decisions)
        made += own_moves
        units += own_units
        misfits += own_misfits
    return made, units, misfits


def _in_unit(steps: list[DeliveryStep], unit: str) -> list[DeliveryStep]:
    """The steps that concern one unit: what is told of a line in another unit announces none of it.

    `unit`: the end of a place.
    """
    own = []
    for step in steps:
        if everywhere(step.location) == unit:
            own.append(step)
        elif step.kind == EXPECTED:
            location, _ = location_and_unit(step.location)
            own.append(step._replace(location=f"{location}{unit}", quantity=0))
    return own


def _moves(
    sku: str, steps: list[DeliveryStep], decisions: Decisions
) -> tuple[list[tuple[str, Move | DatedMove]], list[DatedUnits], list[Misfit]]:
    """As `moves`, of what documents say of one unit, in their order."""
    first = next((step.document for step in steps if step.kind == EXPECTED), None)
    if first is None:
        return [], [], []
    # of a receipt in two sets both may tell the same: rows have to differ, so here the announcement
    # is the document that moves units
    by = {step.document: first if step.elsewhere else step.document for step in steps}
    made: list[tuple[str, Move | DatedMove]] = []
    before = Incoming()
    for number, step in enumerate(steps, 1):
        now = _incoming(steps[:number])
        for move in _differences(sku, step.at, before, now):
            made.append((by[step.document], move))
        before = now
    last = by[steps[-1].document]
    units = [
        DatedUnits(last, sku, location, expected_at, incoming=left)
        for (location, expected_at), left in sorted(before.items())
        if left
    ]
    odd = [decided(one, decisions) for one in _misfits(sku, steps)]
    announced = min(step.location for step in steps if step.kind == EXPECTED)
    for one in odd:
        if one.resolution == DOCUMENT_WRONG:
            made.append((by[one.document], Move(sku, one.location, one.at, -one.quantity)))
            if one.kind == "misrouted":
                made.append((by[one.document], Move(sku, announced, one.at, one.quantity)))
    return made, units, odd


def _incoming(steps: list[DeliveryStep]) -> Incoming:
    left = _in_force(steps)
    units = {line: step.quantity for line, step in left.items()}
    for step in steps:
        if step.kind == RECEIVED:
            rest = step.quantity
            for line in sorted(left, key=lambda line: _preference(step, left[line])):
                taken = min(rest, units[line])
                units[line] -= taken
                rest -= taken
    incoming = Incoming()
    for line, step in left.items():
        incoming[step.location, step.expected_at] += units[line]
    return incoming


def _in_force(steps: list[DeliveryStep]) -> dict[int, DeliveryStep]:
    """The newest announcement of each line."""
    return {step.line: step for step in steps if step.kind == EXPECTED}


def _preference(received: DeliveryStep, expected: DeliveryStep) -> tuple[bool, bool, int, int]:
    return (
        received.line == NO_LINE or received.line != expected.line,
        received.location != expected.location,
        expected.expected_at,
        expected.line,
    )


def _differences(sku: str, at: int, before: Incoming, now: Incoming) -> Iterator[Move | DatedMove]:
    whole = Counter[str]()
    for move in dated_moves(sku, at, before, now, "incoming"):
        whole[move.location] += move.incoming
        yield move
    for location, units in sorted(whole.items()):
        if units:
            yield Move(sku, location, at, incoming=units)


def _misfits(sku: str, steps: list[DeliveryStep]) -> Iterator[Misfit]:
    """Units received beyond the most that was expected then or later, and units that arrived where
    none was expected.
    """
    places = {step.location for step in steps if step.kind == EXPECTED}
    expected = [
        sum(one.quantity for one in _in_force(steps[:number]).values())
        for number in range(1, len(steps) + 1)
    ]
    most = [*accumulate(reversed(expected), max)][::-1]
    received = over = 0
    for step, may in zip(steps, most, strict=True):
        if step.kind != RECEIVED:
            continue
        received += step.quantity
        beyond = min(step.quantity, max(0, received - may - over))
        over += beyond
        if beyond:
            yield Misfit(step.document, "over_received", step.at, sku, step.location, beyond)
        if step.location not in places and step.quantity > beyond:
            units = step.quantity - beyond
            yield Misfit(step.document, "misrouted", step.at, sku, step.location, units)
