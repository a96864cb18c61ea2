"""What the shop asks Hitotsu: stock, points, purchases, suppressions, discrepancies, inquiries."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from tests.situations.amending import Amending
from tests.situations.facts import Sale
from tests.situations.settling import Settling
from tests.situations.wire import Event, Wire

PATIENCE_SECONDS = 60.0
PAGE = 500


@dataclass(frozen=True)
class Shelf:
    """An item at one location, in units."""

    on_hand: float = 0
    committed: float = 0
    reserved: float = 0
    unavailable: float = 0
    incoming: float = 0
    available: float = 0


@dataclass(frozen=True)
class Stock:
    """An item at every location."""

    answer: dict[str, Any]

    def at(self, location: str) -> Shelf:
        """The item at a location; nothing where none was ever seen."""
        for cell in self.answer["locations"]:
            if cell["location_id"] == location:
                return Shelf(**{name: cell[name] for name in Shelf.__dataclass_fields__})
        return Shelf()


@dataclass(frozen=True)
class Hold:
    """Units or points that were held for a while; `id` None: the request was refused."""

    id: str | None
    status: int


class Shop(Amending):
    """A shop with stores S001, S002, S003, a warehouse W1 and a web shop."""

    def __init__(self, wire: Wire, settling: Settling) -> None:
        super().__init__(wire)
        self._settling = settling

    # -- stock ---------------------------------------------------------------------------

    def stock(self, sku: str) -> Stock:
        """An item at every location."""
        answer = self.wire.get(f"/v1/stock/{sku}")
        if answer.status_code == 404:
            return Stock({"locations": []})
        assert answer.status_code == 200, answer.text
        return Stock(answer.json()["data"])

    def shelf(self, sku: str, at: str) -> Shelf:
        """An item at one location."""
        return self.stock(sku).at(at)

    def reserves(
        self, sku: str, at: str, units: int = 1, seconds: int = 600, **counted: Any
    ) -> Hold:
        """Asks to hold units for the web shop; `counted`: the unit and scale of what is weighed."""
        line = {"sku": sku, "location_id": at, "quantity": units} | counted
        body = {"channel": "EC", "lines": [line], "ttl_seconds": seconds}
        answer = self.wire.request("/v1/stock/reservations", body)
        return Hold(answer.json().get("reservation_id"), answer.status_code)

    def commits(self, hold: Hold, order: UUID, at: str | None = None) -> int:
        """The order is placed for which units are held, to be served from `at`; the status."""
        path = f"/v1/stock/reservations/{hold.id}/commit"
        body = {"order_id": str(order)} | ({"location_id": at} if at else {})
        return self.wire.request(path, body).status_code

    def reserves_at_once(self, buyers: int, sku: str, at: str, *codes: str) -> list[Hold]:
        """So many buyers ask for one unit at the same moment, by the codes of the item in turn."""
        asked = [sku, *codes]
        with ThreadPoolExecutor(buyers) as asking:
            return list(
                asking.map(lambda n: self.reserves(asked[n % len(asked)], at), range(buyers))
            )

    def wait_until_over(self, units: Hold, points: Hold) -> None:
        """Waits until a reservation and a hold of points ended by their own time."""
        paths = [f"/v1/stock/reservations/{units.id}", f"/v1/points/holds/{points.id}"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(self.wire.state(path)["state"] == "expired" for path in paths):
            assert time.monotonic() < deadline, "they are still held"
            time.sleep(0.1)

    # -- points --------------------------------------------------------------------------

    def points(self, member: UUID) -> int:
        """A member's balance, once everything that was told is decided."""
        self.settle()
        return int(self.wire.ask(f"/v1/members/{member}/points")["balance"])

    def settle(self) -> None:
        """Waits until the program has decided about everything that was told."""
        told, self.told = self.told, {}
        self._settling.wait(told)

    def holds_points(self, member: UUID, points: int, seconds: int = 600) -> Hold:
        """Asks to hold points for a purchase."""
        body = {"profile_id": str(member), "channel": "EC", "points": points}
        answer = self.wire.request("/v1/points/holds", body | {"ttl_seconds": seconds})
        return Hold(answer.json().get("hold_id"), answer.status_code)

    def spends_points(self, member: UUID, points: int, on: UUID) -> None:
        """Pays with points for a sale; waits until they are off the balance."""
        body = {"profile_id": str(member), "channel": "EC", "points": points}
        answer = self.wire.request("/v1/points/redemptions", body | {"transaction_id": str(on)})
        assert answer.status_code in (200, 201), answer.text
        position = f"event:{answer.json()['event_id']}"
        self.wire.ask(f"/v1/members/{member}/points", min_position=position)

    # -- purchases -----------------------------------------------------------------------

    def purchases(self, member: UUID) -> dict[UUID, dict[str, Any]]:
        """A member's purchases, by transaction."""
        answer = self.wire.get(f"/v1/members/{member}/purchases")
        if answer.status_code == 404:  # nothing was ever told of them
            return {}
        assert answer.status_code == 200, answer.text
        return {UUID(one["transaction_id"]): one for one in answer.json()["data"]}

    def purchase(self, sale: Sale) -> dict[str, Any]:
        """A sale as a till shows it, with all that became of it."""
        found: dict[str, Any] = self.wire.ask(f"/v1/purchases/{sale.transaction}")
        return found

    def bought(self, member: UUID, sale: Sale) -> dict[int, tuple[int, int]]:
        """By line of a listed sale: units sold, and units of these that came back."""
        lines = self.purchases(member)[sale.transaction]["lines"]
        return {one["line_no"]: (one["quantity"], one["returned"]) for one in lines}

    def suppressed(self, member: UUID, *skus: str, at: datetime | None = None) -> list[str]:
        """Which of these items are not to be recommended to the member; `at`: default now."""
        body: dict[str, Any] = {"member_id": str(member), "candidates": list(skus)}
        body |= {"at": at.isoformat()} if at else {}
        answer = self.wire.post("/v1/recommendations/filter", body)
        return [one["sku"] for one in answer["dropped"]]

    def claims(self, sale: Sale, member: UUID) -> httpx.Response:
        """A member asks that a guest's sale is theirs; may be refused."""
        path = f"/v1/purchases/{sale.transaction}/claims"
        body = {"profile_id": str(member), "points_treatment": "RECALCULATE"}
        return self.wire.request(path, body)

    def claim_at_once(self, sale: Sale, *members: UUID) -> list[httpx.Response]:
        """So many members ask at the same moment that a guest's sale is theirs."""
        with ThreadPoolExecutor(len(members)) as asking:
            return list(asking.map(lambda member: self.claims(sale, member), members))

    # -- what does not fit ---------------------------------------------------------------

    def discrepancies(
        self, kind: str | None = None, about: Sale | UUID | Event | str = "", **where: str
    ) -> list[dict[str, Any]]:
        """What does not fit and is not settled; `about`: a document or an event that it names."""
        asked = {"limit": PAGE} | where | ({"kind": kind} if kind else {})
        listed: list[dict[str, Any]] = []
        while True:
            answer = self.wire.get("/v1/discrepancies", **asked)
            assert answer.status_code == 200, answer.text
            listed += answer.json()["data"]
            if (cursor := answer.json()["next_cursor"]) is None:
                break
            asked["cursor"] = cursor
        name = _name(about)
        return [one for one in listed if name in json.dumps(one)]

    def settles(self, discrepancy: dict[str, Any], resolution: str) -> httpx.Response:
        """Somebody looked into it and says which side is right; waits until that is applied."""
        body = {"resolution": resolution, "actor": "auditor", "reason_code": "looked"}
        answer = self.wire.request(f"/v1/discrepancies/{discrepancy['id']}/settlements", body)
        if answer.status_code == 201:
            position = f"event:{answer.json()['event_id']}"
            self.wire.ask("/v1/discrepancies", limit=1, min_position=position)
        return answer

    @staticmethod
    def until(true: Callable[[], bool]) -> None:
        """Waits for what follows from a decision about a discrepancy."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def became(self, event: Event) -> str:
        """What became of an event: applied, conflict, or dead letter."""
        return str(self.wire.ask(f"/v1/events/{event['meta']['event_id']}")["status"])

    # -- inquiries -----------------------------------------------------------------------

    def inquiry(self, inquiry: UUID) -> dict[str, Any]:
        """An inquiry with its messages."""
        found: dict[str, Any] = self.wire.ask(f"/v1/inquiries/{inquiry}")
        return found

    def inquiries(self, member: UUID) -> list[UUID]:
        """A member's inquiries."""
        answer = self.wire.get(f"/v1/members/{member}/inquiries")
        if answer.status_code == 404:
            return []
        assert answer.status_code == 200, answer.text
        return [UUID(one["inquiry_id"]) for one in answer.json()["data"]]


def _name(about: Sale | UUID | Event | str) -> str:
    if isinstance(about, Sale):
        return str(about.transaction)
    return str(about["meta"]["event_id"] if isinstance(about, dict) else about)
