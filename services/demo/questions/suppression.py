"""Checks that recommendations drop what a customer bought in either channel, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from services.demo.common.answers import in_parallel
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names

AT = "2003-01-03T00:00:00+09:00"
MOST_CANDIDATES = 1_000
KEPT = "kept"

Expected = tuple[int, list[tuple[Any, ...]]]


async def ask(asking: PendingQuestion) -> None:
    async def customer(expected: Expected) -> None:
        number, rows = expected
        dropped: dict[int, str] = dict(rows)
        for turn, candidates in enumerate(_chunks(asking.items)):
            wanted = {item: dropped.get(item, KEPT) for item in candidates}
            # Alternates between Redis and Postgres: both are checked in half the time.
            durable = turn % 2 == 1
            found = await _filtered(asking, number, candidates, durable)
            store = "Postgres" if durable else "Redis"
            asking.row.mapping(f"customer {number} from {store} item ", wanted, found)
        asking.answered()

    await in_parallel(asking.by_customer("suppression"), customer)


async def _filtered(
    asking: PendingQuestion, customer: int, candidates: list[int], durable: bool
) -> dict[int, str]:
    found: dict[int, str] = {}
    for member_id in asking.answers.whole(customer):
        skus = [names.sku(item) for item in candidates]
        body = {"member_id": member_id, "candidates": skus, "at": AT}
        answer = await asking.answers.post("/v1/recommendations/filter", body, durable=durable)
        found = {int(sku): KEPT for sku in answer["kept"]} | found
        found |= {int(drop["sku"]): drop["reason"] for drop in answer["dropped"]}
    return found


def _chunks(items: list[int]) -> Iterator[list[int]]:
    size = min(MOST_CANDIDATES, -(-len(items) // 2))
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]
