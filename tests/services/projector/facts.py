"""Small facts to send: points of a customer, stock of an item, words of an inquiry."""

from __future__ import annotations

from uuid import UUID

from schemas.generated.events import (
    InquiryOpened,
    PointsAdjusted,
    PointsEarned,
    StockCounted,
    StockReceived,
)
from schemas.generated.events.parts import EarnedLot, Meta, Producer

CUSTOMER = UUID(int=7).bytes
T0 = 1_750_000_000_000_000


def meta(number: int, minute: int = 0) -> Meta:
    """The envelope of the event with this number."""
    producer = Producer("pos", "STORE", "ginza", "1", 0, number)
    return Meta(UUID(int=1000 + number).bytes, T0 + minute * 60_000_000, producer)


def earned(number: int, points: int = 10, customer: bytes = CUSTOMER) -> PointsEarned:
    return PointsEarned(meta(number), customer, [EarnedLot(UUID(int=number).bytes, points)])


def adjusted(number: int, points: int, reason: str = "goodwill") -> PointsAdjusted:
    return PointsAdjusted(meta(number), CUSTOMER, points, reason)


def received(number: int, quantity: int, sku: str = "tea") -> StockReceived:
    return StockReceived(meta(number), sku, "ginza", quantity)


def counted(number: int, quantity: int, minute: int) -> StockCounted:
    return StockCounted(meta(number), "tea", "ginza", quantity, T0 + minute * 60_000_000)


def asked(number: int, topic: str) -> InquiryOpened:
    return InquiryOpened(meta(number), UUID(int=number).bytes, topic)
