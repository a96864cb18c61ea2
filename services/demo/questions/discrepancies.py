"""Compares the whole list of what does not fit."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from services.demo.questions.places import place_of
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names

_TERMINALS = {names.till(terminal): terminal for terminal in range(1, names.TERMINALS + 1)}


async def ask(asking: PendingQuestion) -> None:
    expected = Counter(_expected(row) for row in asking.oracle.records("discrepancies"))
    found: Counter[tuple[object, ...]] = Counter()
    for settled in ("false", "true"):
        async for entry in asking.answers.pages("/v1/discrepancies", settled=settled):
            found[_answered(entry)] += 1
    asking.row.mapping("", expected, found)
    asking.answered()


def _expected(row: dict[str, Any]) -> tuple[object, ...]:
    sale = None
    if row["number"] is not None:
        sale = names.transaction(names.SELLING[row["channel"]], row["number"])
    return (
        row["kind"], row["location"], row["item"], row["terminal"], sale, row["happened"],
        row["units"],
    )  # fmt: skip


def _answered(entry: dict[str, Any]) -> tuple[object, ...]:
    kind, terminal = entry["kind"], entry["terminal_id"]
    at = None
    if entry["since"] is not None and kind != "clock":  # whose time is the arrival
        at = datetime.fromisoformat(entry["since"]).astimezone(names.JST).replace(tzinfo=None)
    return (
        kind, place_of(entry["location_id"]), entry["sku"] or None,
        _TERMINALS.get(terminal, terminal), next(iter(entry["documents"]), None), at,
        entry["quantity"],
    )  # fmt: skip
