"""Delivers the events of many shops at once: shuffled, in batches of any size, by several senders.

Every event goes in a batch that is drawn from all events that wait, whoever told them. So the
documents of a shop arrive in any order, in one batch or in several, beside those of other shops.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.situations.answers import Shop
from tests.situations.facts import DRAWN, Sale
from tests.situations.settling import Settling
from tests.situations.wire import Event, Wire

SENDERS, LARGEST_BATCH = 3, 30
WITHOUT_ITEM = ("clock", "owner_differs", "second_claim", "sums")


class Waiting:
    """An event that waits to be sent; `place`: its partition and offset afterwards."""

    def __init__(self, event: Event) -> None:
        self.event, self.place, self.failure = event, ("", 0), ""
        self.sent = threading.Event()


class ShuffledDelivery:
    """Takes events, and sends them in drawn batches until it is closed."""

    def __init__(self, wires: Sequence[Wire], seed: int) -> None:
        self._chance = random.Random(seed)
        self._pool: list[Waiting] = []
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [threading.Thread(target=self._send, args=(wire,)) for wire in wires]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends the senders, when all that waits is sent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def deliver(self, events: Sequence[Event]) -> list[tuple[str, int]]:
        """Sends events among those of others; partition and offset of each, once all are taken."""
        waiting = [Waiting(event) for event in events]
        with self._changed:
            self._pool += waiting
            self._changed.notify_all()
        for one in waiting:
            one.sent.wait()
            assert not one.failure, one.failure
        return [one.place for one in waiting]

    def _send(self, wire: Wire) -> None:
        while batch := self._drawn():
            failure, places = "", [("", 0)] * len(batch)
            try:
                places = wire.places([one.event for one in batch])
            except Exception as error:
                failure = repr(error)
            for one, place in zip(batch, places, strict=True):
                one.place, one.failure = place, failure
                one.sent.set()

    def _drawn(self) -> list[Waiting]:
        with self._changed:
            while not self._pool:
                if self._closed:
                    return []
                self._changed.wait()
            self._chance.shuffle(self._pool)
            size = self._chance.randint(1, LARGEST_BATCH)
            batch, self._pool = self._pool[:size], self._pool[size:]
            return batch


class SharedSettling(Settling):
    """Waits for the points of many shops together."""

    def __init__(self, settling: Settling) -> None:
        self._settling = settling
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._told: dict[str, int] = {}
        self._settled = threading.Event()

    def wait(self, told: Mapping[str, int]) -> None:
        """As `Settling.wait`; joins the next round, which begins when the present one has ended."""
        if not told:
            return
        with self._lock:
            for place, offset in told.items():
                self._told[place] = max(self._told.get(place, 0), offset)
            round_ = self._settled
        with self._turn:
            if round_.is_set():
                return
            with self._lock:
                asked, self._told = self._told, {}
                self._settled = threading.Event()
            self._settling.wait(asked)
            round_.set()


class DrawnShop(Shop):
    """A shop whose documents are delivered in a drawn order."""

    def __init__(self, wire: Wire, settling: Settling, delivery: ShuffledDelivery) -> None:
        super().__init__(wire, settling)
        self._delivery = delivery
        self.begin()

    def begin(self) -> None:
        """Forgets the items of the situation before."""
        self._skus: list[str] = []
        self.delivered: list[str] = []

    def item(self, name: str = "ITEM", category: str = "clothes") -> str:
        sku = super().item(name, category)
        self._skus.append(sku)
        return sku

    @contextmanager
    def arriving(self, how: str) -> Iterator[None]:
        assert how == DRAWN
        self._waiting = waiting = []
        try:
            yield
        finally:
            self._waiting = None
        self._describe_items()
        places = self._delivery.deliver(waiting)
        for told, (place, offset) in zip(waiting, places, strict=True):
            self.delivered.append(f"{told['type']} {place} {offset}")
            self.wire.positions[place] = max(self.wire.positions.get(place, 0), offset + 1)
            self._note_told(place, offset)

    def discrepancies(
        self, kind: str | None = None, about: Sale | Any = "", **where: str
    ) -> list[dict[str, Any]]:
        # the list is long: those of other shops are left out by their items
        found: dict[str, dict[str, Any]] = {}
        for sku in self._skus:
            for one in super().discrepancies(kind, about, **where, sku=sku):
                found[one["id"]] = one
        for name in WITHOUT_ITEM:
            if kind in (None, name):
                for one in super().discrepancies(name, about, **where):
                    found[one["id"]] = one
        return list(found.values())


@contextmanager
def shuffled(
    new_wire: Callable[[], Wire], settling: Settling, seed: int
) -> Iterator[Callable[[], DrawnShop]]:
    """A function that opens a shop; a shop is used by one thread."""
    wires = [new_wire() for _ in range(SENDERS)]
    delivery, shared = ShuffledDelivery(wires, seed), SharedSettling(settling)
    opened: list[Wire] = []

    def open_shop() -> DrawnShop:
        opened.append(new_wire())
        return DrawnShop(opened[-1], shared, delivery)

    try:
        yield open_shop
    finally:
        delivery.close()
        for wire in (*wires, *opened):
            wire.close()
