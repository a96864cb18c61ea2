"""What does a shop produce? A seeded stream of facts of every topic, in the order of time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

Record = dict[str, Any]
Fact = tuple[str, Record]
T0 = 1_750_000_000_000_000
SECOND = 1_000_000


@dataclass
class Shop:
    """Customers, items, places and tills; `facts` is what happens to them."""

    seed: int
    profiles: int = 4_000
    items: int = 300
    stores: int = 10
    now: int = T0
    receipts: dict[tuple[str, str], int] = field(default_factory=dict)
    sold: list[Record] = field(default_factory=list)
    guests: list[Record] = field(default_factory=list)
    asked: list[Record] = field(default_factory=list)
    lots: list[tuple[bytes, bytes]] = field(default_factory=list)
    orders: list[Record] = field(default_factory=list)
    rung: list[Record] = field(default_factory=list)
    sent: list[Record] = field(default_factory=list)
    settled: list[bytes] = field(default_factory=list)
    has_identity_rules: bool = False
    announced: list[Record] = field(default_factory=list)
    odd_receipts: list[tuple[str, Record]] = field(default_factory=list)
    slips: set[tuple[str, int | None, str]] = field(default_factory=set)
    # shares of all returns: without a card, under another profile; of documents: told twice
    cardless: float = 0.10
    other_card: float = 0.05
    told_twice: float = 0.01

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.people = [self._id() for _ in range(self.profiles)]
        self.numbers = {profile: number for number, profile in enumerate(self.people)}
        self.skus = [f"item-{number:04d}" for number in range(self.items)]
        self.places = [f"STORE-{number:02d}" for number in range(self.stores)]

    def facts(self, how_many: int) -> Iterator[Fact]:
        """So many facts."""
        given = 0
        for made in self._opening():
            yield made
            given += 1
        kinds, weights = zip(*_KINDS, strict=True)
        while given < how_many:
            self.now += self.chance.randint(1, 3) * SECOND
            kind: Callable[[Shop], list[Fact]] = self.chance.choices(kinds, weights)[0]
            for made in kind(self)[: how_many - given]:
                yield made
                given += 1

    def _opening(self) -> Iterator[Fact]:
        for sku in self.skus:
            yield described(self, sku)
        for number, place in enumerate(self.places):
            zone = {} if number else {"selling_zone": "SHELF"}
            yield (
                "LocationDescribed",
                {**self.meta("HEAD_OFFICE"), "location_id": place, "kind": "STORE", "name": place,
                 "valid_from": T0, **zone},
            )  # fmt: skip
        for place in self.places:
            for sku in self.skus[::3]:
                yield received(self, sku, place)

    def _id(self) -> bytes:
        return self.chance.randbytes(16)

    def person(self) -> bytes:
        return self.chance.choice(self.people)

    def sku(self) -> str:
        # a few items sell most
        return self.skus[int(self.items * self.chance.random() ** 2)]

    def place(self) -> str:
        return self.chance.choice(self.places)

    def meta(self, channel: str, store: str | None = None, receipt: bool = False) -> Record:
        """An envelope; a receipt is numbered by its till, and one in 300 numbers is skipped."""
        producer: Record = {"system": "ec" if channel == "EC" else "pos", "channel": channel}
        if store is not None:
            till = str(self.chance.randint(1, 3))
            producer |= {"store_id": store, "terminal_id": till}
            if receipt:
                skipped = self.chance.random() < 1 / 300
                number = self.receipts.get((store, till), 0) + 1 + skipped
                self.receipts[store, till] = number
                producer["terminal_sequence"] = number
        meta = {"event_id": self._id(), "occurred_at": self.now, "producer": producer}
        return {"meta": meta}

    def shares(self, meta: Record) -> Record:
        """Another event of the same receipt."""
        return {"meta": {**meta["meta"], "event_id": self._id()}}


def described(shop: Shop, sku: str | None = None) -> Fact:
    sku = sku or shop.sku()
    category = f"category-{shop.chance.randint(1, 20)}"
    record = {
        **shop.meta("HEAD_OFFICE"), "sku": sku, "name": f"{sku} {shop.chance.randint(1, 9)} お品",
        "category": category, "valid_from": shop.now + shop.chance.randint(0, 2) * 60 * SECOND,
        "barcodes": _barcodes(sku),
    }  # fmt: skip
    return "ItemDescribed", record


def _barcodes(sku: str) -> list[str]:
    """An EAN-13 for two items of three, another of 8 digits for one of these."""
    drawn = crc32(sku.encode())
    digits = [f"49{drawn % 10**10:010}", f"{drawn % 10**7:07}"][: drawn % 3]
    return [
        one + str(-sum(int(d) * (3 if n % 2 == 0 else 1) for n, d in enumerate(reversed(one))) % 10)
        for one in digits
    ]


def received(shop: Shop, sku: str | None = None, place: str | None = None) -> Fact:
    record = {
        **shop.meta("STORE"), "sku": sku or shop.sku(), "location_id": place or shop.place(),
        "quantity": shop.chance.randint(5, 60),
    }  # fmt: skip
    return "StockReceived", record


# filled by tests.faults.happenings, which knows what can happen in a shop
_KINDS: list[tuple[Callable[[Shop], list[Fact]], float]] = []


def happens(
    weight: float,
) -> Callable[[Callable[[Shop], list[Fact]]], Callable[[Shop], list[Fact]]]:
    """Adds a kind of happening and how often it is drawn."""

    def add(kind: Callable[[Shop], list[Fact]]) -> Callable[[Shop], list[Fact]]:
        _KINDS.append((kind, weight))
        return kind

    return add
