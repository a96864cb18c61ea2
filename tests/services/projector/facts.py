"""Small facts to send: points of a customer, stock of an item, words of an inquiry."""

from __future__ import annotations

from uuid import UUID

from schemas.generated.events import (
    InquiryOpened,
    PointsAdjusted,
    PointsEarned,
    PurchaseCompleted,
    StockCounted,
    StockReceived,
)
from schemas.generated.events.parts import EarnedLot, Meta, Producer, PurchaseLine

CUSTOMER = UUID(int=7).bytes
T0 = 1_750_000_000_000_000


def meta(number: int, minute: int = 0) -> Meta:
    """The envelope of the event with this number."""
    producer = Producer(
        system="pos",
        channel="STORE",
        store_id="GINZA",
        terminal_id="1",
        terminal_epoch=0,
        terminal_sequence=number,
    )
    return Meta(
        event_id=UUID(int=1000 + number).bytes,
        occurred_at=T0 + minute * 60_000_000,
        producer=producer,
    )


def earned(number: int, points: int = 10, customer: bytes = CUSTOMER) -> PointsEarned:
    return PointsEarned(
        meta=meta(number),
        profile_id=customer,
        lots=[EarnedLot(lot_id=UUID(int=number).bytes, points=points)],
    )


def adjusted(number: int, points: int, reason: str = "goodwill") -> PointsAdjusted:
    return PointsAdjusted(meta=meta(number), profile_id=CUSTOMER, points=points, reason=reason)


def received(number: int, quantity: int, sku: str = "tea") -> StockReceived:
    return StockReceived(meta=meta(number), sku=sku, location_id="GINZA", quantity=quantity)


def counted(number: int, quantity: int, minute: int) -> StockCounted:
    return StockCounted(
        meta=meta(number),
        sku="tea",
        location_id="GINZA",
        quantity=quantity,
        counted_at=T0 + minute * 60_000_000,
    )


def asked(number: int, topic: str) -> InquiryOpened:
    return InquiryOpened(meta=meta(number), inquiry_id=UUID(int=number).bytes, topic=topic)


def sale(
    number: int, customer: bytes | None = None, units: int = 1, transaction: int | None = None
) -> PurchaseCompleted:
    """A sale of tea; `transaction`: of which document it is another sending."""
    line = PurchaseLine(line_no=1, sku="tea", quantity=units, unit_price=100, net_paid=100 * units)
    return PurchaseCompleted(
        meta=meta(number),
        transaction_id=UUID(int=9_000 + (number if transaction is None else transaction)).bytes,
        profile_id=customer,
        location_id="GINZA",
        currency="JPY",
        total=line.net_paid,
        lines=[line],
    )
