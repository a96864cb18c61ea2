"""A drawn log of sales in several currencies, with returns, of members with and without ranks."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from uuid import UUID

from projections.core.instants import DAY
from schemas.generated.events.parts import Meta, Producer
from tests.services.points.program import Program

MEMBERS, SALES, DAYS = 12, 150, 200
CURRENCIES = ("JPY", "JPY", "JPY", "USD", "KWD", "EUR")


@dataclass(frozen=True, slots=True)
class DrawnLog:
    """`since`: a time (microseconds) before the first sale. `records`: of purchases."""

    since: int
    records: int


def members_of(seed: int = 1) -> list[UUID]:
    """Who buys."""
    draw = Random(seed)
    return [_id(draw) for _ in range(MEMBERS)]


def tell(shop: Program, members: list[UUID], seed: int = 2) -> DrawnLog:
    """Tells the log, in the order of time; what is returned comes back on the day after."""
    draw = Random(seed)
    start, records = shop.now() - DAYS * DAY, 0
    for number in range(SALES):
        at = start + number * DAY + draw.randrange(DAY // 2)
        lines = [
            (draw.choice(("tea", "cup", "pot")), draw.randint(1, 4), draw.randint(0, 90_000))
            for _ in range(draw.randint(1, 3))
        ]
        meta = Meta(
            event_id=_id(draw).bytes, occurred_at=at,
            producer=Producer(system="pos", channel=draw.choice(("STORE", "EC"))),
        )  # fmt: skip
        sale = shop.sells(
            draw.choice((*members, None)), lines, _id(draw), flush=False, meta=meta,
            currency=draw.choice(CURRENCIES),
        )  # fmt: skip
        records += 1
        if draw.random() < 0.3:
            number_of = draw.randint(1, len(lines))
            units = draw.randint(1, lines[number_of - 1][1])
            shop.brings(None, sale, {number_of: units}, flush=False, at=at + DAY)
            records += 1
    shop.flush()
    return DrawnLog(start - DAY, records)


def _id(draw: Random) -> UUID:
    return UUID(int=draw.getrandbits(128), version=4)
