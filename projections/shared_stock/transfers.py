"""Which units of a transfer have left, and which have arrived? Pure.

on hand at the sender   -= shipped
on hand at the receiver += received, no more than was shipped less what was lost (a negative loss
                           tells of units too many); all of it while nothing was told of the
                           shipment, because the goods are there
incoming                 = shipped - received - lost, never below 0, where the shipment is sent to

All sums are of the whole set of documents, for each item and each unit in which it is counted;
locations are places (`schemas.measures`). How many units of a receipt count is told by the whole
set, in the order of (time, event id); they are on hand from the time of the receipt. What is
incoming because of a document is the difference between the sums up to it and those before it.

People decide about what does not fit. Received beyond the shipment, and right: the units are there
and left the sender as well; wrong: they never arrived. Received elsewhere than sent, and wrong: the
units arrived where they were sent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from projections.core.documents import Document, Documents
from projections.purchases.settlements import (
    DOCUMENT_RIGHT,
    DOCUMENT_WRONG,
    SETTLED,
    Decisions,
)
from projections.shared_stock.moves import Misfit, Move
from schemas.generated.events import TransferReceived, TransferShipped
from schemas.measures import amount, everywhere, place

SHIPPED, RECEIVED = "shipped", "received"


class TransferStep(NamedTuple):
    """What one document does to one item; steps are ordered by (at, event id)."""

    at: int
    document: str
    kind: str
    origin: str
    destination: str
    quantity: int
    lost: int


def of_shipped(event: TransferShipped) -> Document:
    """[kind, at, sku, from, to, quantity, lost]."""
    quantity, unit = amount(event.quantity, event.unit, event.scale)
    return [
        SHIPPED, event.meta.occurred_at, event.sku, place(event.from_location_id, unit),
        place(event.to_location_id, unit), quantity, 0,
    ]  # fmt: skip


def of_received(event: TransferReceived) -> Document:
    """[kind, at, sku, from, to, quantity, lost]."""
    quantity, unit = amount(event.quantity, event.unit, event.scale)
    lost, _ = amount(event.discrepancy, event.unit, event.scale)
    return [
        RECEIVED, event.meta.occurred_at, event.sku, place(event.from_location_id, unit),
        place(event.to_location_id, unit), quantity, lost,
    ]  # fmt: skip


def moves(documents: Documents) -> tuple[list[tuple[str, Move]], list[Misfit]]:
    """The moves of each document, and what does not fit the shipment."""
    by_item: dict[tuple[str, str], list[TransferStep]] = defaultdict(list)
    for name, (kind, at, sku, *rest) in documents.items():
        if kind != SETTLED:
            by_item[sku, everywhere(rest[0])].append(TransferStep(at, name, kind, *rest))
    decisions = Decisions(documents)
    made: list[tuple[str, Move]] = []
    misfits: list[Misfit] = []
    for (sku, _), steps in sorted(by_item.items()):
        steps.sort()
        before = Counter[str]()
        for number, step in enumerate(steps, 1):
            now = _incoming(steps[:number])
            made += ((step.document, move) for move in _differences(sku, step.at, before, now))
            before = now
        for step, fits in _fitting(steps):
            if (move := _on_hand(sku, step, fits)).on_hand:
                made.append((step.document, move))
            for misfit in _misfits(sku, steps, step, fits):
                resolution = decisions.resolution(
                    misfit.kind, step.document, sku, misfit.location
                )  # fmt: skip
                misfits.append(replace(misfit, resolution=resolution))
                moved = _settled(misfits[-1], steps, step, _counted(step, fits))
                made += ((step.document, move) for move in moved if move.on_hand)
    return made, misfits


def _fitting(steps: list[TransferStep]) -> Iterator[tuple[TransferStep, int | None]]:
    """Each document, and how many of its units fit the shipment; None: nothing to compare with."""
    shipped = [step.quantity for step in steps if step.kind == SHIPPED]
    left = sum(shipped)
    for step in steps:
        if step.kind == SHIPPED or not shipped:
            yield step, None
        else:
            fits = min(step.quantity + step.lost, left)
            left -= fits
            yield step, fits


def _on_hand(sku: str, step: TransferStep, fits: int | None) -> Move:
    if step.kind == SHIPPED:
        return Move(sku, step.origin, step.at, -step.quantity)
    return Move(sku, step.destination, step.at, _counted(step, fits))


def _counted(step: TransferStep, fits: int | None) -> int:
    """Received units that raise on hand."""
    return step.quantity if fits is None else max(0, min(step.quantity, fits - step.lost))


def _incoming(steps: list[TransferStep]) -> Counter[str]:
    incoming = Counter[str]()
    for step in steps:
        if step.kind == SHIPPED:
            incoming[step.destination] += step.quantity
    for step, fits in _fitting(steps):
        if fits is not None:
            _arrive(incoming, step.destination, fits)
    return incoming


def _arrive(incoming: Counter[str], destination: str, units: int) -> None:
    """Takes units off what is under way: first to where they arrived, then to elsewhere."""
    for location in sorted(incoming, key=lambda one: (one != destination, one)):
        taken = min(units, incoming[location])
        incoming[location] -= taken
        units -= taken


def _differences(sku: str, at: int, before: Counter[str], now: Counter[str]) -> Iterator[Move]:
    for location in sorted({*before, *now}):
        incoming = now[location] - before[location]
        if incoming:
            yield Move(sku, location, at, incoming=incoming)


def _misfits(
    sku: str, steps: list[TransferStep], step: TransferStep, fits: int | None
) -> Iterator[Misfit]:
    """Units received beyond what was shipped, and units that count elsewhere than sent.

    While nothing was told of the shipment, every unit is beyond it.
    """
    if step.kind == SHIPPED:
        return
    over = step.quantity + step.lost - (fits or 0)
    if over > 0:
        yield Misfit(step.document, "over_received", step.at, sku, step.destination, over)
    sent_to = {one.destination for one in steps if one.kind == SHIPPED}
    counted = _counted(step, fits)
    if sent_to and step.destination not in sent_to and counted:
        yield Misfit(step.document, "misrouted", step.at, sku, step.destination, counted)


def _settled(
    misfit: Misfit, steps: list[TransferStep], step: TransferStep, counted: int
) -> Iterator[Move]:
    """Moves because of a decision; `counted`: units of the receipt that are on hand without it."""
    shipped_to = [other.destination for other in steps if other.kind == SHIPPED]
    if misfit.kind == "over_received" and misfit.resolution == DOCUMENT_RIGHT:
        yield Move(misfit.sku, step.destination, step.at, step.quantity - counted)
        yield Move(misfit.sku, step.origin, step.at, -misfit.quantity)
    elif misfit.kind == "over_received" and misfit.resolution == DOCUMENT_WRONG:
        if not shipped_to:
            yield Move(misfit.sku, step.destination, step.at, -step.quantity)
    elif misfit.kind == "misrouted" and misfit.resolution == DOCUMENT_WRONG:
        yield Move(misfit.sku, step.destination, step.at, -counted)
        yield Move(misfit.sku, min(shipped_to), step.at, counted)
