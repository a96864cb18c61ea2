"""What happens in a shop whose tables are folded again? Events of every projection, some broken.

A few customers and items are watched: what is theirs only ever grows, so a reader can tell a step
back from a step on.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

from confluent_kafka import Producer

from schemas.generated.inputs import example, parse, to_event
from schemas.wire import codec
from tests.schemas.sealers import OpenSealer

WATCHED = [UUID(int=1_000_000 + number) for number in range(3)]
WATCHED_ITEM = "watched"
PLENTY = {
    "PointsEarned": 5,
    "PurchaseCompleted": 5,
    "StockReceived": 2,
    "StockCounted": 1,
    "InboundExpected": 1,
    "LocationDescribed": 1,
    "InquiryOpened": 1,
    "InquiryMessageAdded": 1,
    "ProfileRegistered": 1,
    "ProfilesLinked": 1,
    "ItemDescribed": 1,
    "PointsRedeemed": 1,
}
SELDOM = ("SubjectErased", "MatchRulesActivated")
_kept: dict[str, Producer] = {}
_keeping = threading.Lock()
PROFILES_EACH = 4
Sent = tuple[str, bytes | None, bytes | None]


class Trade:
    """A seeded stream of records, as they are appended."""

    def __init__(self, seed: int, people: int = 300, items: int = 80, doubles: bool = True) -> None:
        """`doubles`: whether sales are told again under other ids."""
        self._chance = random.Random(seed)
        self._people = [UUID(int=number + 1).bytes for number in range(people)]
        self._items = [f"item-{number:03}" for number in range(items)]
        self._like = {name: _example(name) for name in [*PLENTY, *SELDOM]}
        self._at = self._like["PointsEarned"].meta.occurred_at
        self._before: list[Sent] = []
        self._sales: list[Any] = []
        self._doubles = doubles

    def records(self, many: int) -> Iterator[Sent]:
        """So many records: one in twenty a resend, one in a hundred broken, and one in fifty a sale
        that is told under another id, sometimes with other content.
        """
        for number in range(many):
            drawn = self._chance.random()
            if self._before and drawn < 0.05:
                yield self._chance.choice(self._before[-2_000:])
            elif self._before and drawn < 0.06:
                topic, key, value = self._before[-1]
                yield topic, key, (value or b"")[:-3]
            elif drawn < 0.062:
                yield self._record(self._about("SubjectErased"))
            elif drawn < 0.0625:
                yield self._record(self._about("MatchRulesActivated"))
            elif self._doubles and self._sales and drawn < 0.0825:
                yield self._record(self._told_again())
            elif number % 5 == 0:
                yield self._record(self._watched())
            else:
                kinds, weights = list(PLENTY), list(PLENTY.values())
                yield self._record(self._about(self._chance.choices(kinds, weights)[0]))

    def _told_again(self) -> Any:
        sale = self._chance.choice(self._sales[-500:])
        meta = replace(sale.meta, event_id=self._chance.randbytes(16))
        total = sale.total + (self._chance.random() < 0.2)
        return replace(sale, meta=meta, total=total, profile_id=self._chance.choice(self._people))

    def _record(self, event: Any) -> Sent:
        key = codec.key_of(event)
        if event.NAME == "PurchaseCompleted" and self._chance.random() < 0.25:
            key = event.profile_id  # as sales were keyed before
        if event.NAME == "PurchaseCompleted" and key == event.transaction_id:
            self._sales.append(event)
        sent = (event.TOPIC, key, codec.encode(event))
        self._before.append(sent)
        return sent

    def _watched(self) -> Any:
        if self._chance.random() < 0.3:
            return replace(self._about("StockReceived"), sku=WATCHED_ITEM, quantity=1)
        profile = self._chance.choice(WATCHED).bytes
        return replace(self._about("PointsEarned"), profile_id=profile)

    def _a_person(self) -> list[bytes]:
        """Two profiles of one person; nobody is more than a few."""
        first = self._chance.randrange(0, len(self._people), PROFILES_EACH)
        return self._chance.sample(self._people[first : first + PROFILES_EACH], 2)

    def _about(self, name: str) -> Any:
        chance, like = self._chance, self._like[name]
        self._at += 1_000_000
        sequence = chance.randrange(1, 5_000)
        producer = replace(like.meta.producer, terminal_sequence=sequence)
        meta = replace(
            like.meta, event_id=chance.randbytes(16), occurred_at=self._at, producer=producer
        )
        changes: dict[str, Any] = {"meta": meta}
        if hasattr(like, "profile_id"):
            changes["profile_id"] = chance.choice(self._people)
        if hasattr(like, "other_profile_id"):
            changes["profile_id"], changes["other_profile_id"] = self._a_person()
        if hasattr(like, "sku") and like.sku is not None:
            changes["sku"] = chance.choice(self._items)
        if hasattr(like, "inquiry_id"):
            changes["inquiry_id"] = chance.randbytes(16)
        if hasattr(like, "transaction_id") and name.startswith("Purchase"):
            changes["transaction_id"] = chance.randbytes(16)
        if name == "StockCounted":
            changes["zone"] = chance.choice((None, "SHELF", "BACK"))
            changes["quantity"] = chance.randrange(50)
            changes["counted_at"] = self._at - chance.randrange(600) * 1_000_000
        if name == "LocationDescribed":
            changes["selling_zone"] = chance.choice((None, "SHELF", "BACK"))
            changes["valid_from"] = self._at - chance.randrange(600) * 1_000_000
        if name in ("InboundExpected", "StockReceived"):
            document = f"PO-{chance.randrange(40)}"
            changes["document_id" if name == "InboundExpected" else "reference"] = document
        if name == "InboundExpected":
            changes["quantity"] = chance.randrange(200)
            changes["expected_at"] = self._at + chance.randrange(30) * 86_400_000_000
        if name == "ProfilesLinked":
            changes["decided_by"] = chance.choice(["RULE", "PERSON"])
        if name == "MatchRulesActivated":
            changes["version"] = chance.choice([like.version, "another"])
            changes["valid_from"] = self._at
            kind = {"class": chance.choice(["strong", "weak"]), "limit": chance.randint(2, 10)}
            changes["rules"] = json.dumps(
                {"identifiers": {"card": {"class": "unique"}, "phone": kind}}
            )
        if name == "PurchaseCompleted":
            item = chance.choice(self._items)
            lines = [replace(line, sku=item) for line in like.lines]
            if chance.random() < 0.05:
                due = self._at + chance.randrange(30) * 86_400_000_000
                lines = [replace(line, fulfilment="SHIP", expected_at=due) for line in lines]
            changes["lines"] = lines
        return replace(like, **changes)


def forget(kafka: str) -> None:
    """Gives up the producer of a broker whose topics are about to go."""
    _kept.pop(kafka, None)


def _kept_for(kafka: str) -> Producer:
    """The producer for single facts: a new one waits half a second until it has its id."""
    with _keeping:
        if kafka not in _kept:
            _kept[kafka] = _made(kafka)
        return _kept[kafka]


def _made(kafka: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": kafka, "acks": "all", "enable.idempotence": True,
            "queue.buffering.max.messages": 2_000_000, "reconnect.backoff.max.ms": 500,
        }
    )  # fmt: skip


def send(
    kafka: str, records: Iterator[Sent], rate: int = 0, end: threading.Event | None = None
) -> int:
    """Appends them, so many a second, until there are no more or it is told to end."""
    producer = _made(kafka) if rate or end is not None else _kept_for(kafka)
    began, sent = time.monotonic(), 0
    for topic, key, value in records:
        producer.produce(topic, value, key)
        sent += 1
        if sent % 20 == 0:
            producer.poll(0)
            if end is not None and end.is_set():
                break
            if rate:
                time.sleep(max(0.0, sent / rate - (time.monotonic() - began)))
    assert producer.flush(30) == 0
    return sent


def _example(name: str) -> Any:
    return to_event(parse(example(name)), OpenSealer())
