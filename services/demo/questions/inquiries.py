"""Compares every customer's inquiries, and the counts by topic, item and store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from typing import Any

from services.demo.common.answers import in_parallel
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names

Inquiry = tuple[str, str, int, int | None]  # topic, channel, item, store


async def ask(asking: PendingQuestion) -> None:
    expected: dict[int | None, Counter[Inquiry]] = {}
    for customer, *inquiry in asking.oracle.expected("inquiries"):
        expected.setdefault(customer, Counter())[_key(*inquiry)] += 1

    async def list_of(customer: int) -> None:
        parts = await asking.answers.of_customer(customer, "inquiries")
        listed = chain.from_iterable(parts)
        wanted = expected.get(customer, Counter())
        asking.row.mapping(f"customer {customer} ", wanted, Counter(map(_read, listed)), of=1)
        asking.answered()

    await in_parallel(asking.customers, list_of)
    await _all(asking, expected)
    await _counts(asking, expected)


async def _all(asking: PendingQuestion, expected: Mapping[int | None, Counter[Inquiry]]) -> None:
    """Checks that the list of all inquiries has every one exactly once, also anonymous ones."""
    listed: dict[int | None, Counter[Inquiry]] = {}
    async for inquiry in asking.answers.pages("/v1/inquiries"):
        asking.tally["inquiries"] += 1
        whose = asking.answers.customer(inquiry["profile_id"])
        listed.setdefault(whose, Counter())[_read(inquiry)] += 1
    for customer in sorted(expected.keys() | listed.keys(), key=str):
        wanted, found = expected.get(customer, Counter()), listed.get(customer, Counter())
        asking.row.mapping(f"list: customer {customer} ", wanted, found)


async def _counts(asking: PendingQuestion, expected: Mapping[int | None, Counter[Inquiry]]) -> None:
    every: Counter[Inquiry] = sum(expected.values(), Counter())
    for by, place in (("topic", 0), ("sku", 2), ("store_id", 3)):
        wanted: Counter[str] = Counter()
        for inquiry, count in every.items():
            if inquiry[place] is not None:
                wanted[str(inquiry[place])] += count
        found: Counter[str] = Counter()
        async for entry in asking.answers.pages("/v1/inquiries/counts", by=by):
            value = entry["value"]
            found[str(_STORES.get(value, value))] = entry["inquiries"]
        asking.row.mapping(f"count by {by} ", wanted, found)


_STORES = {names.location(store): store for store in range(1, names.STORES + 1)}


def _key(topic: str, channel: str, item: int, store: int | None) -> Inquiry:
    return topic, channel, item, store


def _read(inquiry: Mapping[str, Any]) -> Inquiry:
    store = _STORES.get(inquiry["store_id"], inquiry["store_id"])
    return inquiry["topic"], inquiry["channel"], int(inquiry["sku"]), store
