"""Compares receipts: lines, discounts, shipping, tax by rate, tenders, totals, what is wrong."""

from __future__ import annotations

from typing import Any

from services.demo.common.answers import in_parallel
from services.demo.questions.places import item_of
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names

Record = dict[str, Any]
Values = dict[str, object]


async def ask(asking: PendingQuestion) -> None:
    async def sale(expected: Record) -> None:
        system = names.SELLING[expected["channel"]]
        transaction = names.transaction(system, expected["number"])
        found = await asking.answers.get(f"/v1/purchases/{transaction}")
        about = f"{expected['channel']} {expected['number']} "
        asking.row.mapping(about, _expected(expected), _answered(found))
        asking.answered()

    await in_parallel(asking.oracle.records("receipts"), sale)


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


def _answered(found: Record) -> Values:
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
