"""Compares business days of every store and of the web shop: each terminal's, and the sums.

Every day that lacks something is asked for, and one in three of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any

from services.demo.common.answers import in_parallel
from services.demo.questions.places import LOCATIONS
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names

_TILLS = {names.till(terminal): terminal for terminal in range(1, names.TERMINALS + 1)}
DAY_EVERY = 3
Record = dict[str, Any]
Day = tuple[tuple[str, date], list[Record]]
Values = dict[str, object]


async def ask(asking: PendingQuestion) -> None:
    async def day(expected: Day) -> None:
        (place, on), terminals = expected
        found = await asking.answers.get(f"/v1/business-days/{LOCATIONS[place]}/{on.isoformat()}")
        asking.row.mapping(f"{place} {on} ", _expected(terminals), _answered(found))
        asking.answered()

    days = _days(asking.oracle.records("business_days"))
    await in_parallel((one for one in days if _is_asked(one)), day)


def _days(rows: Iterable[Record]) -> Iterator[Day]:
    for key, terminals in groupby(rows, key=itemgetter("location", "date")):
        yield key, list(terminals)


def _is_asked(day: Day) -> bool:
    (_, on), terminals = day
    return on.toordinal() % DAY_EVERY == 0 or any(one["lacks"] for one in terminals)


def _expected(terminals: list[Record]) -> Values:
    judged = [one for one in terminals if one["terminal"] is not None]
    values: Values = {
        "complete": all(not one["lacks"] for one in judged) if judged else None,
        "missing": sum(len(one["missing"]) for one in judged),
    }
    sums: dict[str, list[int | None]] = {}
    for one in terminals:
        which = f"terminal {one['terminal']} "
        values |= {
            f"{which}lacks": sorted(one["lacks"]),
            f"{which}closed, received": (one["closed"], one["received"]),
            f"{which}missing, elsewhere": (one["missing"], one["elsewhere"]),
        }
        for key, *amounts in (*one["tenders"], *one["taxes"]):
            values[f"{which}{key}"] = tuple(amounts)
            before = sums.get(f"all {key}", [None] * len(amounts))
            sums[f"all {key}"] = [_plus(*both) for both in zip(before, amounts, strict=True)]
    return values | {key: tuple(amounts) for key, amounts in sums.items()}


def _plus(first: int | None, second: int | None) -> int | None:
    return (first or 0) + second if second is not None else first


def _answered(found: Record) -> Values:
    values: Values = {"complete": found["complete"], "missing": found["missing"]}
    values |= {f"all {key}": amounts for key, amounts in _sums(found)}
    for one in found["terminals"]:
        which = f"terminal {_TILLS.get(one['terminal_id'], one['terminal_id'])} "
        values |= {
            f"{which}lacks": sorted(one["lacks"]),
            f"{which}closed, received": (one["closed"], one["received"]),
            f"{which}missing, elsewhere": (_numbers(one["missing"]), _numbers(one["elsewhere"])),
        }
        if one["beside"] or one["complete"] != (not one["lacks"]):
            values[f"{which}beside, complete"] = (one["beside"], one["complete"])
        values |= {f"{which}{key}": amounts for key, amounts in _sums(one)}
    return values


def _sums(found: Record) -> Iterator[tuple[object, tuple[int | None, ...]]]:
    for one in found["tenders"]:
        yield one["kind"], (one["received"], one["closed"])
    for one in found["taxes"]:
        amounts = (one["net"], one["tax"], one["closed_net"], one["closed_tax"])
        yield one["rate_basis_points"], amounts


def _numbers(gaps: list[dict[str, int]]) -> list[int]:
    return [number for gap in gaps for number in range(gap["first"], gap["last"] + 1)]
