"""Compares point balances over all channels, in the default program and in the club."""

from __future__ import annotations

from services.demo.common.answers import in_parallel
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop.club import CLUB


async def ask(asking: PendingQuestion) -> None:
    async def customer(expected: tuple[int, int]) -> None:
        number, balance = expected
        for durable in (False, True):
            parts = await asking.answers.of_customer(number, "points", durable=durable)
            store, found = "Postgres" if durable else "Redis", sum(one["balance"] for one in parts)
            asking.row.value(f"customer {number} from {store}", balance, found)
        for points in parts:
            asking.tally["points earned"] += points["earned"]
            asking.tally["points redeemed"] += points["redeemed"]
            asking.tally["points taken back"] += points["taken_back"]
        asking.answered()

    async def member(expected: tuple[int, int]) -> None:
        number, balance = expected
        for durable in (False, True):
            parts = await asking.answers.of_customer(
                number, "points", durable=durable, program=CLUB
            )
            store, found = "Postgres" if durable else "Redis", sum(one["balance"] for one in parts)
            asking.row.value(f"customer {number} in the club from {store}", balance, found)

    await in_parallel(asking.oracle.expected("balances"), customer)
    await in_parallel(asking.oracle.expected("club"), member)
