"""What is sent to a group whose verdicts will be wrong: every kind of id that was sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from schemas.generated.inputs import example, parse, to_event
from schemas.wire import codec
from tests.schemas.sealers import OpenSealer
from tests.services.rebuild.trade import Sent, Trade
from tests.services.rebuild.wrong_ledger import Story

PEOPLE = [UUID(int=2_000_000 + number) for number in range(12)]
ITEMS = [f"told-{number:02}" for number in range(8)]
HOLD, RESERVATION = UUID(int=3_000_001), UUID(int=3_000_002)


@dataclass
class Told:
    """Records in the order in which they are sent, and the story of their verdicts."""

    first: list[Any] = field(default_factory=list)
    second: list[Any] = field(default_factory=list)
    story: Story = field(default_factory=Story)
    names: dict[str, bytes] = field(default_factory=dict)  # ids of single cases

    def twice(self, event: Any, again: Any, third: Any = None) -> None:
        """The last one was applied, though the first came first."""
        self.first.append(event)
        self.second += [again] if third is None else [again, third]
        last = again if third is None else third
        self.story.applied[event.meta.event_id] = codec.encode(last)

    def records(self, between: int) -> Iterator[Sent]:
        """First records, other trade, the records that come again."""
        yield from map(_sent, self.first)
        yield from Trade(11, people=60, items=20, doubles=False).records(between)
        yield from map(_sent, self.second)


def told() -> Told:
    """Several ids over several partitions, of every kind."""
    sent = Told()
    for number, who in enumerate(PEOPLE):
        event = earned(number, who, 10)
        if number % 3 == 0:
            sent.twice(event, event)
        elif number % 3 == 1:
            sent.twice(event, earned(number, who, 1_000))
        else:
            sent.twice(event, event, earned(number, who, 1_000))
    for number, sku in enumerate(ITEMS):
        event = received(100 + number, sku, 5)
        sent.twice(event, event if number % 2 else received(100 + number, sku, 700))
    _with_holds(sent)
    _of_single_kinds(sent)
    return sent


def _with_holds(sent: Told) -> None:
    redeemed = replace(_like("PointsRedeemed", 200), profile_id=PEOPLE[0].bytes, points=3)
    redeemed.allocations[0] = replace(redeemed.allocations[0], profile_id=PEOPLE[0].bytes, points=3)
    sent.twice(replace(redeemed, hold_id=HOLD.bytes), redeemed)
    committed = replace(_like("ReservationCommitted", 201), sku=ITEMS[0], quantity=2)
    sent.twice(replace(committed, reservation_id=RESERVATION.bytes), replace(committed, quantity=4))


def _of_single_kinds(sent: Told) -> None:
    story = sent.story
    # a conflict that is none, and that somebody dropped as the runbook said
    dropped = earned(300, PEOPLE[1], 7)
    sent.twice(dropped, earned(300, PEOPLE[1], 70))
    sent.names["dropped"] = dropped.meta.event_id
    # an id that meets in two partitions: the second person's partition applied it, its second body
    here, there = earned(301, PEOPLE[2], 11), earned(301, _elsewhere(PEOPLE[2]), 12)
    again = replace(there, rule_version="another")
    sent.first += [here, there]
    sent.second += [again]
    story.applied[here.meta.event_id] = codec.encode(again)
    sent.names["meets"] = here.meta.event_id
    # the first is good, the copy cannot be stored, and neither was applied
    good = sold(302, PEOPLE[3], "T01")
    sent.twice(good, sold(302, PEOPLE[3], "T\0"))
    sent.names["neither"] = good.meta.event_id
    # the first cannot be stored, which nobody tried
    bad = sold(303, PEOPLE[4], "T\0")
    sent.twice(bad, sold(303, PEOPLE[4], "T02"))
    sent.names["unstorable"] = bad.meta.event_id
    story.unstorable |= {codec.encode(bad), story.applied[good.meta.event_id]}
    # could not be read at first, and was sent again by somebody
    late = earned(304, PEOPLE[5], 9)
    sent.first.append(late)
    sent.second.append(late)
    story.unread.add(codec.encode(late))
    sent.names["retried"] = late.meta.event_id
    # of somebody who was erased
    gone = UUID(int=2_000_099)
    sent.twice(earned(305, gone, 8), earned(305, gone, 80))
    sent.second.append(replace(_like("SubjectErased", 306), profile_id=gone.bytes))
    sent.names["erased"] = earned(305, gone, 8).meta.event_id


def earned(number: int, who: UUID, points: int) -> Any:
    """Points for a person; the same number is the same id."""
    like = _like("PointsEarned", number)
    return replace(like, profile_id=who.bytes, lots=[replace(like.lots[0], points=points)])


def received(number: int, sku: str, quantity: int) -> Any:
    """Units of an item."""
    return replace(_like("StockReceived", number), sku=sku, quantity=quantity)


def sold(number: int, who: UUID, receipt: str) -> Any:
    """A sale with a receipt number."""
    like = _like("PurchaseCompleted", number)
    return replace(
        like, profile_id=who.bytes, receipt_number=receipt,
        transaction_id=UUID(int=6_000_000 + number).bytes,
    )  # fmt: skip


def _elsewhere(who: UUID) -> UUID:
    """Another person, in another partition; the client hashes keys by CRC32."""
    from zlib import crc32

    number = 0
    while crc32(UUID(int=who.int + 500 + number).bytes) % 8 == crc32(who.bytes) % 8:
        number += 1
    return UUID(int=who.int + 500 + number)


def _like(name: str, number: int) -> Any:
    event = to_event(parse(example(name)), OpenSealer())
    producer = replace(event.meta.producer, terminal_sequence=number + 1)
    meta = replace(event.meta, event_id=UUID(int=5_000_000 + number).bytes, producer=producer)
    return replace(event, meta=meta)


def _sent(event: Any) -> Sent:
    return event.TOPIC, codec.key_of(event), codec.encode(event)
