"""The scene: a customer spends EC points at the till, and the last unit is sold only once.

It uses a customer and an item of the generated tables, before the comparison: after the return at
its end all answers must be as the oracle has them. It is played once per stack, and compares its
own answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from services.demo.common.answers import Answers
from services.demo.common.comparison import ReportRow
from services.demo.send import NotAccepted
from services.demo.shop import names
from services.demo.shop.names import Json
from services.sdk import AsyncClient

AT = datetime(2003, 1, 3, 15, tzinfo=names.JST)  # later than all generated sales
STORE, SPENT = 1, 10
SALE, ORDER = names.SCENE
HOLDS, RESERVATIONS = "/v1/points/holds", "/v1/stock/reservations"


@dataclass
class Scene:
    """The scene's customer and item, and its clients."""

    answers: Answers
    row: ReportRow
    gateway: str
    commands: str
    tokens: Mapping[str, str]

    async def play(self, customers: list[int], items: list[int]) -> None:
        """Plays the whole scene; does nothing if the stack has its purchases already."""
        async with httpx.AsyncClient(
            base_url=self.commands, timeout=30.0, trust_env=False
        ) as self._http:
            found = await self._customer(customers)
            if found is None:
                return
            self._who, self._sku = found, names.sku(items[0])
            points, store, warehouse = await self._state()
            await self._spend_at_the_till(points)
            await self._last_unit(warehouse)
            await self._bring_back()
            after = await self._state()
            self.row.value("after the return: points, units", (points, store, warehouse), after)

    async def _customer(self, customers: list[int]) -> int | None:
        """A customer who has enough EC points to spend at the till; None if the scene was played.

        Raises `NotAccepted` when no customer has.
        """
        for customer in customers:
            purchases = await self.answers.of_member(customer, "purchases", durable=True)
            if any(one["transaction_id"] == SALE for one in purchases):
                return None
            status, said = await self._command("till", HOLDS, self._hold(customer, dry_run=True))
            ec = names.profile(names.EC, customer)
            if status == 200 and {one["profile_id"] for one in said["allocations"]} == {ec}:
                return customer
        raise NotAccepted(f"scene: no customer has {SPENT} EC points to spend in the store")

    def _hold(self, customer: int, **more: Any) -> Json:
        card = names.profile(names.POS, customer)
        return {"profile_id": card, "channel": "STORE", "points": SPENT, **more}

    async def _state(self) -> tuple[int, Json, Json]:
        """The point balance, and the item's stock at the store and at the warehouse."""
        points = await self.answers.of_member(self._who, "points", durable=True)
        stock = await self.answers.get(f"/v1/stock/{self._sku}", durable=True)
        places = {cell["location_id"]: cell for cell in stock["locations"]}
        return (
            points["balance"],
            places[names.location(STORE)],
            places[names.location(None)],
        )

    async def _spend_at_the_till(self, points: int) -> None:
        """Holds points at the till, checks that EC cannot hold them too, and captures them."""
        status, held = await self._command("till", HOLDS, self._hold(self._who))
        self.row.value("the till holds points of EC", (201, SPENT), (status, held.get("points")))
        account = names.profile(names.EC, self._who)
        all_of_them = {"profile_id": account, "channel": "EC", "points": points}
        status, said = await self._command("ec", HOLDS, all_of_them)
        self.row.value(
            "EC asks for all of them meanwhile", (409, points - SPENT),
            (status, said.get("available")),
        )  # fmt: skip
        path = f"{HOLDS}/{held['hold_id']}/capture"
        status, self._spent = await self._command("till", path, {"transaction_id": SALE})
        self.row.value("the till captures them", (200, SPENT), (status, self._spent["points"]))
        await self._send("till", self._purchase(names.POS, SALE, STORE, SPENT))
        seen = await self._once_applied(self._spent["event_id"])
        self.row.value("one balance in both channels", points - SPENT, seen)

    async def _last_unit(self, warehouse: Json) -> None:
        """EC and the till both reserve the last available unit; only EC gets it."""
        where = warehouse["location_id"]
        many = warehouse["available"] - 1
        status, rest = await self._reserve("ec", where, many)
        self.row.value("all but one are held", 201, status)
        status, last = await self._reserve("ec", where, 1)
        self.row.value("EC reserves the last one", 201, status)
        status, said = await self._reserve("till", where, 1)
        short = said.get("lines", [{}])[0].get("available")
        self.row.value("the till asks for it", (409, 0), (status, short))
        path = f"{RESERVATIONS}/{last['reservation_id']}/commit"
        status, said = await self._command("ec", path, {"order_id": ORDER})
        self.row.value("the order takes it", 200, status)
        await self._send("ec", self._purchase(names.EC, ORDER, None, 100, "SHIP"))
        await self._send("warehouse", self._shipped(where))
        await self._command("ec", f"{RESERVATIONS}/{rest['reservation_id']}/release", {})

    async def _bring_back(self) -> None:
        """Returns both purchases: points go back to their lots, units go back to stock."""
        await self._send("till", self._returned(names.POS, SALE, STORE, SPENT))
        back = {"transaction_id": SALE, "lines": [{"line_no": 1, "quantity": 1}]}
        who = {"profile_id": names.profile(names.POS, self._who)}
        status, said = await self._command("till", "/v1/points/returns", {**who, **back})
        given = said.get("given_back", {}).get("points")
        self.row.value("the points go back", (200, SPENT), (status, given))
        await self._send("ec", self._returned(names.EC, ORDER, None, 100))
        for event_id in said.get("event_ids", ()):
            await self._once_applied(event_id)

    async def _reserve(self, who: str, location: str, quantity: int) -> tuple[int, Json]:
        channel = "STORE" if who == "till" else "EC"
        line = {"sku": self._sku, "location_id": location, "quantity": quantity}
        return await self._command(who, RESERVATIONS, {"channel": channel, "lines": [line]})

    async def _command(self, who: str, path: str, body: Json) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        if not body.get("dry_run"):
            headers["Idempotency-Key"] = names.demo_id("scene", path, who, *sorted(body.items()))
        answer = await self._http.post(path, json=body, headers=headers)
        said: Json = answer.json()
        return answer.status_code, said

    async def _send(self, who: str, event: Json) -> None:
        """Sends an event through the gateway, and waits until the point balance includes it."""
        async with AsyncClient(self.gateway, self.tokens[who]) as client:
            results = await client.send([event])
        refused = results.of("rejected")
        if refused:
            raise NotAccepted(f"scene: {event['type']}: {refused[0].field}: {refused[0].reason}")
        await self._once_applied(event["meta"]["event_id"])

    async def _once_applied(self, event_id: str) -> int:
        """Waits until the customer's point balance includes the event; returns the balance."""
        path = f"/v1/members/{names.profile(names.EC, self._who)}/points"
        points = await self.answers.get(path, min_position=f"event:{event_id}")
        balance: int = points["balance"]
        return balance

    def _meta(self, system: str, kind: str, transaction: str, store: int | None) -> Json:
        event_id = names.demo_id("scene", kind, transaction)
        return names.meta(system, event_id, AT, store=store, correlation=transaction)

    def _purchase(
        self, system: str, transaction: str, store: int | None, paid: int,
        fulfilment: str = "IMMEDIATE",
    ) -> Json:  # fmt: skip
        line = {
            "line_no": 1, "sku": self._sku, "quantity": 1, "unit_price": paid, "net_paid": paid,
            "fulfilment": fulfilment,
        }  # fmt: skip
        kind = "POINTS" if transaction == SALE else "CARD"
        return {
            "type": "PurchaseCompleted",
            "meta": self._meta(system, "PurchaseCompleted", transaction, store),
            "transaction_id": transaction, "profile_id": names.profile(system, self._who),
            "location_id": names.location(store), "currency": names.CURRENCY, "total": paid,
            "lines": [line], "tenders": [{"kind": kind, "amount": paid}],
        }  # fmt: skip

    def _shipped(self, where: str) -> Json:
        return {
            "type": "StockShipped",
            "meta": self._meta(names.WAREHOUSE, "StockShipped", ORDER, None),
            "sku": self._sku, "location_id": where, "order_id": ORDER, "line_no": 1, "quantity": 1,
        }  # fmt: skip

    def _returned(self, system: str, transaction: str, store: int | None, paid: int) -> Json:
        line = {
            "line_no": 1, "sku": self._sku, "quantity": 1, "refund": paid,
            "disposition": "BACK_IN_STOCK",
        }  # fmt: skip
        return {
            "type": "PurchaseReturned",
            "meta": self._meta(system, "PurchaseReturned", transaction, store),
            "transaction_id": transaction, "profile_id": names.profile(system, self._who),
            "location_id": names.location(store), "currency": names.CURRENCY, "total": paid,
            "lines": [line],
        }  # fmt: skip
