"""Which shop do the readers ask? One with a past: a catalogue, stock, members who have bought."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from schemas.generated.events import Event, ItemDescribed, NeedPolicySet
from schemas.generated.events.parts import Meta
from schemas.generated.inputs import example
from services.runtime.producer import KafkaRecord, record_of
from services.sdk.ids import uuid7
from tests.benchmarks.freshness.http import request
from tests.benchmarks.workload import BEGAN, SHOP, Shape, load, sku_of

SHAPE = Shape(members=10_000, locations=20, skus=2_000)
PAST, CATEGORIES, CANDIDATES, QUESTIONS = 60_000, 20, 100, 2_000
KINDS = (("ONE_OFF", None), ("DURABLE", 365), ("REPLENISHABLE", 30), ("NONE", None))


class Sold(NamedTuple):
    """Of which items some were sold, and to whom: of others nothing is known."""

    skus: list[str]
    members: list[str]


def past(events: int) -> tuple[list[KafkaRecord], Sold]:
    """What happened before anybody looks."""
    found = load("w2", events, 0, SHAPE)
    skus = [sku for _, sku in found.expected.stock]
    members = [str(UUID(bytes=member)) for member in found.expected.balance]
    return [*map(record_of, _catalogue()), *found.records], Sold(skus, members)


def questions(url: str, token: str, sold: Sold) -> dict[str, list[str]]:
    """A balance, the stock of an item, a filter over a hundred candidates: whole requests."""
    chance = random.Random(3)

    def items(many: int) -> list[str]:
        return [sku_of(chance.randrange(SHAPE.skus)) for _ in range(many)]

    asked: dict[str, list[str]] = {"balance": [], "stock": [], "filter": []}
    for _ in range(QUESTIONS):
        member, sku = chance.choice(sold.members), chance.choice(sold.skus)
        wanted = {"member_id": member, "candidates": items(CANDIDATES)}
        for kind, method, path, body in (
            ("balance", "GET", f"/v1/members/{member}/points", None),
            ("stock", "GET", f"/v1/stock/{sku}", None),
            ("filter", "POST", "/v1/recommendations/filter", wanted),
        ):
            asked[kind].append(_text(request(method, url, path, token, body)))
    return asked


def batches(url: str, token: str, size: int, many: int) -> list[str]:
    """Requests with so many events each, half sales and half points, as a till sends them."""
    return [
        _text(request("POST", url, "/v1/events", token, [_sent(n) for n in range(size)]))
        for _ in range(many)
    ]


def _sent(number: int) -> dict[str, Any]:
    event = example("PointsEarned" if number % 2 else "PurchaseCompleted")
    event["meta"]["event_id"] = uuid7()
    del event["meta"]["producer"]["terminal_sequence"]
    return event


def _catalogue() -> Iterator[Event]:
    for number in range(SHAPE.skus):
        category = f"C{number % CATEGORIES:02}"
        yield ItemDescribed(
            meta=_meta(),
            sku=sku_of(number),
            name=f"Item {number}",
            category=category,
            valid_from=BEGAN,
        )
    for number in range(CATEGORIES):
        category, (kind, days) = f"C{number:02}", KINDS[number % len(KINDS)]
        yield NeedPolicySet(
            meta=_meta(), policy_id=category, kind=kind, valid_from=BEGAN, category=category,
            interval_days=days,
        )  # fmt: skip


def _meta() -> Meta:
    return Meta(event_id=UUID(uuid7()).bytes, occurred_at=BEGAN, producer=SHOP)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
