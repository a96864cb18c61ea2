"""Compares receipts: lines, discounts, shipping, tax by rate, tenders, totals, what is wrong.

A receipt is on its sale's page. Those that the question about purchases has read are not asked for
again.
"""

from __future__ import annotations

from typing import Any

from services.demo.common.answers import in_parallel
from services.demo.questions.places import item_of
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names

PAGE_EVERY = 5
Record = dict[str, Any]
Values = dict[str, object]


async def ask(asking: PendingQuestion) -> None:
    async def sale(expected: Record) -> None:
        system = names.SELLING[expected["channel"]]
        transaction = names.transaction(system, expected["number"])
        found = asking.receipts.pop(transaction, None)
        if found is None:
            found = answered(await asking.answers.get(f"/v1/purchases/{transaction}"))
        about = f"{expected['channel']} {expected['number']} "
        asking.row.mapping(about, _expected(expected), found)
        asking.answered()

    every = asking.oracle.records("receipts")
    await in_parallel((one for one in every if one["rare"] or is_asked(one["number"])), sale)


def is_asked(number: int) -> bool:
    """Whether the page of a sale is asked for if nothing rare happened to it: of one in five, from
    all stores and tills.
    """
    return number // PAGE_EVERY % PAGE_EVERY == 0


def _expected(of: Record) -> Values:
    return {
        "total": of["total"],
        "tax": of["tax"],
        "not adding up": of["not_adding_up"],
        "discounts": of["discounts"],
        **{f"line {line_no}": values for line_no, *values in of["lines"]},
        **{f"rate {rate}": sums for rate, *sums in of["taxes"]},
        "tenders": of["tenders"],
    }


def answered(found: Record) -> Values:
    """What a sale's page says of its receipt."""
    receipt = found["receipt"]
    return {
        "total": found["total"],
        "tax": receipt["tax"],
        "not adding up": receipt["not_adding_up"],
        "discounts": [(one["line_no"], one["amount"]) for one in receipt["discounts"]],
        **{f"line {line['line_no']}": _line(line) for line in found["lines"]},
        **{f"rate {one['rate']}": [one["net"], one["tax"]] for one in receipt["tax_by_rate"]},
        "tenders": [(one["kind"], one["amount"]) for one in receipt["tenders"]],
    }


def _line(line: Record) -> list[object]:
    goods = line["kind"] == "GOODS"
    item = item_of(line["sku"]) if goods else None
    return [
        line["kind"], item, goods and line["sku"] != names.sku(item or 0), line["quantity"],
        line["paid"], line["discount"], line["tax_rate"], line["given_back"],
    ]  # fmt: skip
