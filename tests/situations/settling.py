"""Waits until the program's rules have decided the points of everything that was sent.

Points by rules come in events of their own, which nobody outside can name, so no position tells
when they are in. A witness is sent after everything: a return in the same partition of the sales.
Sales of a partition are judged in their order, and what was decided is sent in the order of the
decisions. So once the points of the witness have moved, those of all sales before it are in the
log; the ends of the partitions of points are then told by events that the gateway takes there.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from tests.situations.wire import Event, Wire

SALES, POINTS = "commerce.purchases", "commerce.points"
PARTITIONS, CANDIDATES = 8, 96
UNITS, SECONDS, PAUSE_SECONDS = 10_000, 30.0, 0.03
_NEVER_SOLD = "WITNESS"


class Settling:
    """The witnesses of one stack: a customer and a sale in each partition."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._sales: dict[str, tuple[UUID, UUID]] = {}
        self._returned: dict[str, int] = {}
        self._customers: dict[str, UUID] = {}

    def start(self) -> None:
        """Finds a witness for each partition, by sending some to wherever they go."""
        names = [(uuid4(), uuid4()) for _ in range(CANDIDATES)]
        places = self._wire.send([_sale(*name) for name in names])
        self._sales = dict(zip(places, names, strict=True))
        customers = [uuid4() for _ in range(CANDIDATES)]
        places = self._wire.send([_points(customer) for customer in customers])
        self._customers = dict(zip(places, customers, strict=True))
        assert len(self._sales) == len(self._customers) == PARTITIONS
        self._returned = dict.fromkeys(self._sales, 0)
        self._await(set(self._sales))

    def wait(self, touched: set[str]) -> None:
        """`touched`: the partitions of sales to which something was sent."""
        if not touched:
            return
        # What was decided is sent in batches, one after the other, each to several partitions: when
        # the second witnesses are in, so is all of the batch of the first.
        for _ in range(2):
            self._wire.send([_return(*self._sales[place]) for place in sorted(touched)])
            for place in touched:
                self._returned[place] += 1
            self._await(touched)
        self._wire.send([_points(customer) for customer in self._customers.values()])

    def _await(self, touched: set[str]) -> None:
        deadline, waiting = time.monotonic() + SECONDS, set(touched)
        while waiting:
            assert time.monotonic() < deadline, f"no points were decided in {sorted(waiting)}"
            time.sleep(PAUSE_SECONDS)
            waiting = {place for place in waiting if not self._decided(place)}

    def _decided(self, place: str) -> bool:
        customer, _ = self._sales[place]
        answer = self._wire.get(f"/v1/members/{customer}/points")
        balance = answer.json()["data"]["balance"] if answer.status_code == 200 else None
        return bool(balance == UNITS - self._returned[place])


def _meta() -> dict[str, Any]:
    producer = {"system": "witness", "channel": "HEAD_OFFICE"}
    now = datetime.now(UTC).isoformat()
    return {"event_id": str(uuid4()), "occurred_at": now, "producer": producer}


def _sale(customer: UUID, transaction: UUID) -> Event:
    line = {"line_no": 1, "sku": _NEVER_SOLD, "quantity": UNITS, "unit_price": 100}
    return {
        "type": "PurchaseCompleted",
        "meta": _meta(),
        "transaction_id": str(transaction),
        "profile_id": str(customer),
        "location_id": "WITNESS",
        "currency": "JPY",
        "total": 100 * UNITS,
        "lines": [line | {"net_paid": 100 * UNITS}],
    }


def _return(customer: UUID, transaction: UUID) -> Event:
    line = {"line_no": 1, "sku": _NEVER_SOLD, "quantity": 1, "refund": 100}
    return {
        "type": "PurchaseReturned",
        "meta": _meta(),
        "transaction_id": str(transaction),
        "profile_id": str(customer),
        "location_id": "WITNESS",
        "currency": "JPY",
        "total": 100,
        "lines": [line],
    }


def _points(customer: UUID) -> Event:
    return {
        "type": "PointsAdjusted",
        "meta": _meta(),
        "profile_id": str(customer),
        "points": 1,
        "reason_code": "witness",
    }
