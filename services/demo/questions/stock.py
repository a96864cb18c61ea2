"""Compares the stock of every item at every location, and what EC can sell, now and before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from services.demo.common.answers import in_parallel
from services.demo.questions.places import place_of
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names

TOTAL, NOW = "total", "now"
UNITS = ("on_hand", "committed", "unavailable")
Cells = dict[str | None, tuple[int, ...]]


async def ask(asking: PendingQuestion) -> None:
    async def item(expected: tuple[int, dict[str, Cells]]) -> None:
        number, by_time = expected
        for time, places in by_time.items():
            for durable in (False, True) if time == NOW else (True,):
                found = await _found(asking, number, time, durable)
                store = "Postgres" if durable else "Redis"
                asking.row.mapping(f"item {number} {time} from {store} at ", places, found)
        asking.answered()

    await in_parallel(_by_item(asking), item)
    await _nothing_else(asking)


async def _found(asking: PendingQuestion, item: int, time: str, durable: bool) -> Cells:
    as_of = {} if time == NOW else {"as_of": f"{time}T00:00:00+09:00"}
    stock = await asking.answers.get(f"/v1/stock/{names.sku(item)}", durable=durable, **as_of)
    found = {place_of(cell["location_id"]): _units(cell) for cell in stock["locations"]}
    return {**found, TOTAL: (stock["online_atp"], 0, 0)}


def _by_item(asking: PendingQuestion) -> Iterator[tuple[int, dict[str, Cells]]]:
    rows = asking.oracle.records("stock")
    for item, cells in groupby(rows, key=itemgetter("item")):
        by_time: dict[str, Cells] = defaultdict(dict)
        for cell in cells:
            by_time[cell["at_time"]][cell["location"]] = _units(cell)
        yield item, by_time


def _units(cell: dict[str, Any]) -> tuple[int, ...]:
    return tuple(cell[name] for name in UNITS)


async def _nothing_else(asking: PendingQuestion) -> None:
    """Checks that the list of all stock has every code at every location, and nothing else."""
    expected = {
        f"{cell['location']} {_code(cell)}": _units(cell)
        for cell in asking.oracle.records("stock_list")
    }
    listed = {}
    async for cell in asking.answers.pages("/v1/stock"):
        listed[f"{place_of(cell['location_id'])} {cell['sku']}"] = _units(cell)
    asking.row.mapping("list: ", expected, listed)


def _code(cell: dict[str, Any]) -> str | None:
    return names.barcode(cell["item"]) if cell["barcode"] else names.sku(cell["item"])
