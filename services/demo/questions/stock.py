"""Compares the stock of every item at every location, and what EC can sell."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from services.demo.common.answers import in_parallel
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names

PLACES = {
    names.location(store): "warehouse" if store is None else f"store {store}"
    for store in (*range(1, names.STORES + 1), None)
}
TOTAL = "total"


async def ask(asking: PendingQuestion) -> None:
    async def item(expected: tuple[int, dict[str, int]]) -> None:
        number, places = expected
        for durable in (False, True):
            stock = await asking.answers.get(f"/v1/stock/{names.sku(number)}", durable=durable)
            found = {_place(cell["location_id"]): cell["on_hand"] for cell in stock["locations"]}
            found[TOTAL] = stock["online_atp"]
            store = "Postgres" if durable else "Redis"
            asking.row.mapping(f"item {number} from {store} at ", places, found)
        asking.answered()

    await in_parallel(_by_item(asking), item)
    await _nothing_else(asking)


def _by_item(asking: PendingQuestion) -> Iterator[tuple[int, dict[str, int]]]:
    for item, cells in groupby(asking.oracle.expected("stock"), key=lambda cell: cell[1]):
        yield item, {place: units for place, _, units in cells}


async def _nothing_else(asking: PendingQuestion) -> None:
    """Checks that the list of all stock has every item at every location, and nothing else."""
    expected = {
        f"{place} item {item}": units
        for place, item, units in asking.oracle.expected("stock")
        if place != TOTAL
    }
    listed = {}
    async for cell in asking.answers.pages("/v1/stock"):
        listed[f"{_place(cell['location_id'])} item {cell['sku']}"] = cell["on_hand"]
    asking.row.mapping("list: ", expected, listed)


def _place(location: str) -> str:
    return PLACES.get(location, location)
