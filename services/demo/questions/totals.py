"""Compares the totals over all answers, which would show lost or doubled events."""

from __future__ import annotations

from itertools import chain

from services.demo.common.answers import in_parallel
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names


async def ask(asking: PendingQuestion) -> None:
    found = asking.tally

    async def customer(number: int) -> None:
        parts = await asking.answers.of_customer(number, "purchases", durable=True)
        for purchase in chain.from_iterable(parts):
            if purchase["transaction_id"] in names.SCENE:  # not in the generated tables
                continue
            found["purchases"] += 1
            found["sales"] += purchase["total"]
            for line in purchase["lines"]:
                found["lines"] += 1
                found["units sold"] += line["quantity"]
                found["units returned"] += line["returned"]
                found["units refunded"] += line["refunded"]
                found["returns"] += line["returned"] + line["refunded"] > 0
        asking.answered()

    await in_parallel(asking.customers, customer)
    expected: dict[str, int] = dict(asking.oracle.expected("totals"))
    expected["members"] += len(asking.answers.apart)
    asking.row.mapping("", expected, found)
