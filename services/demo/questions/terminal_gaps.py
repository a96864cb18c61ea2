"""Checks that exactly the receipts that the demo did not send are reported as missing."""

from __future__ import annotations

from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names

_STORES = {names.location(store): store for store in range(1, names.STORES + 1)}
_TILLS = {names.till(terminal): terminal for terminal in range(1, names.TERMINALS + 1)}


async def ask(asking: PendingQuestion) -> None:
    expected = dict.fromkeys(asking.oracle.expected("terminal_gaps"), "missing")
    every = {(store, till) for store in _STORES.values() for till in _TILLS.values()}
    found, heard = {}, {}
    async for terminal in asking.answers.pages("/v1/terminals/gaps"):
        store = _STORES.get(terminal["store_id"], terminal["store_id"])
        till = _TILLS.get(terminal["terminal_id"], terminal["terminal_id"])
        heard[store, till] = "heard of"
        for gap in terminal["gaps"]:
            for sequence in range(gap["first"], gap["last"] + 1):
                found[store, till, sequence] = "missing"
    asking.row.mapping("store, terminal, receipt ", expected, found)
    asking.row.mapping("store, terminal ", dict.fromkeys(every, "heard of"), heard)
    asking.answered()
