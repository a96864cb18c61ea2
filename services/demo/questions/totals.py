"""What do all answers add up to? Nothing is lost between them, and nothing is there twice."""

from __future__ import annotations

from collections import Counter

from services.demo.answers import in_parallel
from services.demo.questions.asking import Asking


async def ask(asking: Asking) -> None:
    expected: dict[str, int] = dict(asking.oracle.expected("totals"))
    found: Counter[str] = Counter()

    async def customer(number: int) -> None:
        points = await asking.answers.of_member(number, "points")
        found["points earned"] += points["earned"]
        found["points redeemed"] += points["redeemed"]
        found["points taken back"] += points["taken_back"]
        for purchase in await asking.answers.of_member(number, "purchases"):
            found["purchases"] += 1
            found["sales"] += purchase["total"]
            for line in purchase["lines"]:
                found["lines"] += 1
                found["units sold"] += line["quantity"]
                found["units returned"] += line["returned"]
                found["returns"] += line["returned"] > 0
        asking.answered()

    await in_parallel(asking.customers, customer)
    for path, name in (("/v1/members", "members"), ("/v1/inquiries", "inquiries")):
        async for _ in asking.answers.pages(path):
            found[name] += 1
    asking.row.mapping("", expected, found)
