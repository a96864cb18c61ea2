"""The receipts of tills, by number and by business day, and the days that tills closed.

A till numbers its receipts without gaps, so a number that is missing is an event that never came.
Where a till starts its numbers anew without saying so, only its closed days tell what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import to_json

from projections.core import Projection, Row, key, latest_by, maximum, plain, spans
from projections.terminal_gaps.closings import by_kind, by_rate, ranges_of, said_of
from schemas.calendars import APART, nominal_date
from schemas.generated.events import (
    DeadLettered,
    PointsEarned,
    PointsRedeemed,
    PointsReversed,
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
    ReceiptNumberUsed,
    TerminalDayClosed,
)
from schemas.generated.events.parts import TaxByRate, Tender

projection = Projection("terminal_gaps", version=4)
# Receipt numbers per row. A partition has only a part of a till's receipts, so the ranges in a row
# do not merge. In a single row they would become ever more, and every batch would write all again.
BLOCK = 1_000
NO_TERMINAL = ""

# `day`: as in `till_receipt`. A till that starts anew each day uses a number on many days.
receipts = projection.table(
    "terminal_receipts",
    system=key("text"),
    store_id=key("text"),
    terminal_id=key("text"),
    epoch=key("int"),
    block=key("bigint"),
    day=key("int"),
    seen=spans(),
    by_partition=True,
    contended=True,
)
# Receipts as they were rung up, whatever became of them. `day`: the business date that was told,
# else that of the default calendar: which date a receipt belongs to is decided when it is read, by
# the calendar of its store. `odd_day`: a told date that may be too far from the time to be used.
# `tenders`, `taxes`: of a sale, as in `Closing`.
till_receipt = projection.ledger(
    "till_receipt",
    day=plain("int"),
    store_id=plain("text"),
    system=plain("text"),
    terminal_id=plain("text"),
    epoch=plain("int"),
    sequence=plain("bigint"),
    at=plain("bigint"),
    told_day=plain("int"),
    odd_day=plain("int"),
    currency=plain("text"),
    tenders=plain("text"),
    taxes=plain("text"),
    indexes=(("day", "store_id"),),
    sparse=("odd_day",),
)
# `said`: JSON of `closings.Closing`. `first`: -1 where a till closed a day without receipts.
closing = projection.table(
    "terminal_closing",
    store_id=key("text"),
    system=key("text"),
    terminal_id=key("text"),
    epoch=key("int"),
    day=key("int"),
    first=key("bigint"),
    closed_at=maximum(),
    said=latest_by("text", at="closed_at"),
    indexes=(("day", "store_id"),),
)


@projection.on(PurchaseCompleted)
def sold(event: PurchaseCompleted) -> Sequence[Row]:
    """A sale's number, and what it adds to its day; no row for a sale that tells neither."""
    producer, told = event.meta.producer, event.business_date
    if producer.terminal_sequence is not None and producer.terminal_id is not None:
        return (
            _number(event, told),
            _receipt(event, producer.store_id or "", told, event.tenders, event.tax_by_rate),
        )
    if told is None and not event.tenders and not event.tax_by_rate:
        return ()
    return (_receipt(event, event.location_id, told, event.tenders, event.tax_by_rate),)


@projection.on(
    PurchaseReturned, PurchaseVoided, PointsEarned, PointsRedeemed, PointsReversed, DeadLettered
)
def receipt_seen(event: PurchaseReturned) -> Sequence[Row]:
    """The receipt number of an event; that of a dead letter counts as arrived.

    It returns a sequence, because many events have no number, and a generator costs more.
    """
    producer = event.meta.producer
    if producer.terminal_sequence is None or producer.terminal_id is None:
        return ()
    if event.NAME in _OF_SALES and event.transaction_id is not None:
        return (_number(event, None),)  # the sale has the number too
    return (_number(event, None), _receipt(event, producer.store_id or "", None))


_OF_SALES = frozenset(("PointsEarned", "PointsRedeemed", "PointsReversed"))


@projection.on(ReceiptNumberUsed)
def number_used(event: ReceiptNumberUsed) -> Iterator[Row]:
    """A number without a sale: nothing is missing there."""
    at, told = event.meta.occurred_at, event.business_date
    till = {
        "system": event.system or event.meta.producer.system,
        "store_id": event.location_id,
        "terminal_id": event.terminal_id,
        "epoch": event.terminal_epoch,
        "day": day_of(at, told),
    }
    yield receipts(block=event.number // BLOCK, seen=event.number, **till)
    yield till_receipt(
        sequence=event.number, at=at, told_day=told, odd_day=_odd(at, told), currency=None,
        tenders=None, taxes=None, **till,
    )  # fmt: skip


@projection.on(TerminalDayClosed)
def day_closed(event: TerminalDayClosed) -> Iterator[Row]:
    """What a till says of a day. Told again from the same first number, the later one counts."""
    used = ranges_of(event.first_number, event.last_number, event.count)
    yield closing(
        store_id=event.location_id,
        system=event.system or event.meta.producer.system,
        terminal_id=event.terminal_id,
        epoch=event.terminal_epoch,
        day=event.business_date,
        first=event.first_number if used and event.first_number is not None else -1,
        closed_at=event.meta.occurred_at,
        said=said_of(event),
    )


def day_of(at: int, told: int | None) -> int:
    """The day under which a receipt is kept: near the date that it belongs to."""
    nominal = nominal_date(at)
    return told if told is not None and abs(told - nominal) <= APART else nominal


DAYS_NEAR = 4
"""A receipt belongs to a date that is at most this from the day under which it is kept."""


def _odd(at: int, told: int | None) -> int | None:
    """The told date if some store's calendar could be too far from it."""
    return None if told is None or -APART < told - nominal_date(at) < 1 else told


def _number(event: Any, told: int | None) -> Row:
    producer = event.meta.producer
    return receipts(
        system=producer.system,
        store_id=producer.store_id or "",
        terminal_id=producer.terminal_id,
        epoch=producer.terminal_epoch,
        block=producer.terminal_sequence // BLOCK,
        day=day_of(event.meta.occurred_at, told),
        seen=producer.terminal_sequence,
    )


def _receipt(
    event: Any,
    store_id: str,
    told: int | None,
    tenders: Sequence[Tender] = (),
    taxes: Sequence[TaxByRate] = (),
) -> Row:
    at, producer = event.meta.occurred_at, event.meta.producer
    numbered = producer.terminal_sequence is not None and producer.terminal_id is not None
    return till_receipt(
        day=day_of(at, told),
        store_id=store_id,
        system=producer.system,
        terminal_id=producer.terminal_id if numbered else NO_TERMINAL,
        epoch=producer.terminal_epoch if numbered else 0,
        sequence=producer.terminal_sequence if numbered else None,
        at=at,
        told_day=told,
        odd_day=_odd(at, told),
        currency=event.currency if tenders or taxes else None,
        tenders=to_json(by_kind(tenders)).decode() if tenders else None,
        taxes=to_json(by_rate(taxes)).decode() if taxes else None,
    )
