"""A month of 40 stores with 200 tills: resets, rollovers, late and lost receipts, training.

What was rung up is drawn here, and what of it arrives. So it is known which days are incomplete and
what the sums are, without the code that is tested.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from schemas.generated.events import (
    LocationDescribed,
    PointsEarned,
    PurchaseCompleted,
    PurchaseReturned,
    ReceiptNumberUsed,
    TerminalDayClosed,
)
from schemas.generated.events.parts import (
    EarnedLot,
    Meta,
    Producer,
    PurchaseLine,
    ReturnedLine,
    TaxByRate,
    Tender,
)

FIRST = date(2025, 11, 1)
EPOCH = date(1970, 1, 1)
STORES, TILLS_A_STORE, DAYS = 40, 5, 30
SEQUENTIAL, BY_EPOCH, RESETTING, ROLLING, DATE_PREFIXED = range(5)
LOST, LATE, LOST_CLOSING = 0.01, 0.03, 1 / 61
UTC_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TillDayKey = tuple[str, int, str, int]
"""Store, day since 1970-01-01, till, epoch."""


@dataclass(frozen=True)
class Store:
    """A store; `dated`: its tills tell the business date. It is open from `opens`, for 12 hours."""

    code: str
    zone: str = "Asia/Tokyo"
    starts: str = "00:00"
    opens: int = 9
    dated: bool = True

    def moment(self, day: int, minute: int) -> int:
        """The instant so many minutes after it opened on a day."""
        midnight = datetime.combine(FIRST + timedelta(days=day), datetime.min.time())
        here = (midnight + timedelta(hours=self.opens, minutes=minute)).replace(
            tzinfo=ZoneInfo(self.zone)
        )
        return (here.astimezone(UTC) - UTC_EPOCH) // timedelta(microseconds=1)


@dataclass
class Month:
    """`batches`: events in the order of their arrival. `incomplete`: days of tills that are so.

    `lost`: how many receipts never arrive.

    `paid`: store, day, means of payment and amount of every tender that arrives, as for a table.
    """

    batches: list[list[Any]] = field(default_factory=list)
    days: set[TillDayKey] = field(default_factory=set)
    incomplete: set[TillDayKey] = field(default_factory=set)
    lost: int = 0
    paid: list[tuple[str, int, str, int]] = field(default_factory=list)
    taxed: list[tuple[str, int, int, int, int]] = field(default_factory=list)


@dataclass
class _Till:
    store: Store
    terminal: str
    style: int
    number: int = 0
    epoch: int = 0

    def open(self, day: int) -> None:
        if self.style == BY_EPOCH:
            self.number, self.epoch = 0, day
        elif self.style == RESETTING:
            self.number = 0
        elif self.style == ROLLING and day == 0:
            self.number = 9_950
        elif self.style == DATE_PREFIXED:
            self.number = int(f"{FIRST + timedelta(days=day):%Y%m%d}0000")

    def next(self) -> int:
        self.number = 1 if self.style == ROLLING and self.number == 9_999 else self.number + 1
        return self.number


def stores() -> list[Store]:
    """Most are in Japan; one closes at night, three lie elsewhere, some tell no business date."""
    special = [
        Store("S000", starts="05:00", opens=15, dated=False),  # until 03:00
        Store("S001", starts="05:00", opens=15, dated=True),
        Store("S002", "America/New_York", "04:00", 10, dated=False),
        Store("S003", "Pacific/Auckland", "00:00", 11, dated=False),
        Store("S004", "Asia/Kolkata", "03:00", 14, dated=True),
    ]
    more = [Store(f"S{n:03}", dated=n % 3 != 0) for n in range(len(special), STORES)]
    return [*special, *more]


def month(seed: int, per_day: tuple[int, int] = (2, 6)) -> Month:
    """A month. `per_day`: the fewest and the most receipts of a till and day."""
    chance, made = random.Random(seed), Month()
    arriving: dict[int, list[Any]] = defaultdict(list)
    for store in stores():
        arriving[0].append(_described(store, chance))
        for number in range(TILLS_A_STORE):
            till = _Till(store, f"T{number}", (number + int(store.code[1:])) % 5)
            for day in range(DAYS):
                till.open(day)
                for at, event in _day(till, day, chance.randint(*per_day), chance, made):
                    arriving[at].append(event)
    for _, events in sorted(arriving.items()):
        chance.shuffle(events)
        made.batches.append(events)
    return made


def _day(
    till: _Till, day: int, receipts: int, chance: random.Random, made: Month
) -> Iterator[tuple[int, Any]]:
    """The events of a till's day that arrive, each with the day on which it does."""
    store, business = till.store, (FIRST - EPOCH).days + day
    key = (store.code, business, till.terminal, till.epoch)
    made.days.add(key)
    numbers, tenders, taxes = [], [], []
    minutes = sorted(chance.sample(range(12 * 60), receipts))
    for minute in minutes:
        numbers.append(till.next())
        told = business if store.dated else None
        event, sale = _receipt(till, store.moment(day, minute), told, chance)
        if sale is not None:
            tenders += sale.tenders
            taxes += sale.tax_by_rate
        if chance.random() < LOST:
            made.incomplete.add(key)
            made.lost += 1
            continue
        if sale is not None:
            made.paid += [(store.code, business, t.kind, t.amount) for t in sale.tenders]
            made.taxed += [
                (store.code, business, t.rate_basis_points, t.net, t.tax) for t in sale.tax_by_rate
            ]
            if chance.random() < 0.3:
                yield day, _points(sale, chance)
        yield day + (chance.randint(1, 6) if chance.random() < LATE else 0), event
    if chance.random() < LOST_CLOSING:
        made.incomplete.add(key)
        return
    yield (
        day,
        TerminalDayClosed(
            meta=_meta(till, store.moment(day, 12 * 60 - 1), None, chance),
            location_id=store.code,
            terminal_id=till.terminal,
            terminal_epoch=till.epoch,
            business_date=business,
            first_number=numbers[0],
            last_number=numbers[-1],
            count=len(numbers),
            currency="JPY",
            tenders=tenders,
            tax_by_rate=_summed(taxes),
        ),
    )


def _receipt(
    till: _Till, at: int, told: int | None, chance: random.Random
) -> tuple[Any, PurchaseCompleted | None]:
    """A receipt, and the sale if it is one."""
    drawn, code = chance.random(), till.store.code
    if drawn < 0.06:
        used = ReceiptNumberUsed(
            meta=_meta(till, at, None, chance),
            location_id=code,
            terminal_id=till.terminal,
            terminal_epoch=till.epoch,
            number=till.number,
            used_for=chance.choice(["TRAINING", "DEPOSIT", "NO_SALE", "VOID_OF_NOTHING"]),
            business_date=told,
        )
        return used, None
    meta = _meta(till, at, till.number, chance)
    if drawn < 0.12:
        back = ReturnedLine(line_no=1, sku="tea", quantity=1, refund=100)
        sale = chance.randbytes(16)
        return PurchaseReturned(
            meta=meta, transaction_id=sale, location_id=code, currency="JPY", total=100,
            lines=[back],
        ), None  # fmt: skip
    net = chance.randint(100, 9_999)
    rate = chance.choice([800, 1000])
    tax = net * rate // 10_000
    cash = chance.randint(0, net + tax)
    sale = PurchaseCompleted(
        meta=meta,
        transaction_id=chance.randbytes(16),
        location_id=code,
        currency="JPY",
        total=net + tax,
        tax=tax,
        business_date=told,
        lines=[PurchaseLine(line_no=1, sku="tea", quantity=1, unit_price=net, net_paid=net + tax)],
        tenders=[
            Tender(kind="CASH", amount=cash),
            Tender(kind=chance.choice(["CARD", "QR", "CASH"]), amount=net + tax - cash),
        ],
        tax_by_rate=[TaxByRate(rate_basis_points=rate, net=net, tax=tax)],
    )
    return sale, sale


def _points(sale: PurchaseCompleted, chance: random.Random) -> PointsEarned:
    """Points that the till gives for a sale: an event with the sale's number."""
    meta = Meta(
        event_id=chance.randbytes(16), occurred_at=sale.meta.occurred_at,
        producer=sale.meta.producer,
    )  # fmt: skip
    lots = [EarnedLot(lot_id=chance.randbytes(16), points=1, line_no=1)]
    return PointsEarned(
        meta=meta, profile_id=bytes(15) + b"1", lots=lots, transaction_id=sale.transaction_id
    )


def _meta(till: _Till, at: int, number: int | None, chance: random.Random) -> Meta:
    producer = Producer(
        system="pos", channel="STORE", store_id=till.store.code, terminal_id=till.terminal,
        terminal_epoch=till.epoch, terminal_sequence=number,
    )  # fmt: skip
    return Meta(event_id=chance.randbytes(16), occurred_at=at, producer=producer)


def _described(store: Store, chance: random.Random) -> LocationDescribed:
    return LocationDescribed(
        meta=Meta(
            event_id=chance.randbytes(16), occurred_at=0,
            producer=Producer(system="office", channel="HEAD_OFFICE"),
        ),
        location_id=store.code, kind="STORE", name=store.code, valid_from=0,
        time_zone=store.zone, day_starts_at=store.starts,
    )  # fmt: skip


def _summed(taxes: list[TaxByRate]) -> list[TaxByRate]:
    sums: dict[int, tuple[int, int]] = {}
    for one in taxes:
        net, tax = sums.get(one.rate_basis_points, (0, 0))
        sums[one.rate_basis_points] = (net + one.net, tax + one.tax)
    return [TaxByRate(rate_basis_points=rate, net=n, tax=t) for rate, (n, t) in sums.items()]
