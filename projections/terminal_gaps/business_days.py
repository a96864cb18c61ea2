"""The query of a store's business day: what was received, against what its tills closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from pydantic import BaseModel, Field

from projections.catalog import location
from projections.core import Read
from projections.core.instants import CalendarDate
from projections.terminal_gaps import BLOCK, closing, projection, receipts, till_receipt
from projections.terminal_gaps.answers import Gap, gaps_of
from projections.terminal_gaps.closings import Ranges
from projections.terminal_gaps.day_rows import till_days
from projections.terminal_gaps.number_holes import CLOSED_RANGES
from projections.terminal_gaps.till_days import (
    Lack,
    TaxSums,
    Tenders,
    TillDay,
    size,
    till_day,
    without,
)
from schemas.fields import AskedLocation

EPOCH = date(1970, 1, 1)
DAY, OF_STORE = "%(day)s::int", "store_id = %(store_id)s"
ROWS = f"select * from ({till_days(DAY, DAY, OF_STORE)}) days order by system, terminal_id, epoch"
ASKED = """unnest(
    %(systems)s::text[], %(terminals)s::text[], %(epochs)s::int[], %(lows)s::bigint[],
    %(highs)s::bigint[]
) as asked(system, terminal_id, epoch, low, high)"""
# numbers of a till that were seen on whichever day, and those of its other closed days
SEEN = f"""
select r.system, r.terminal_id, r.epoch, lower(span) as first, upper(span) - 1 as last
from {ASKED} join terminal_receipts r on r.system = asked.system collate "C"
    and r.store_id = %(store_id)s and r.terminal_id = asked.terminal_id collate "C"
    and r.epoch = asked.epoch and r.block between asked.low / {BLOCK} and asked.high / {BLOCK},
    unnest(r.seen) as span
"""
OTHER_DAYS = f"""
select c.system, c.terminal_id, c.epoch, lower(numbers) as first, upper(numbers) - 1 as last
from ({CLOSED_RANGES.rstrip()} where {OF_STORE} and day <> {DAY}) c
join {ASKED} on c.system = asked.system collate "C"
    and c.terminal_id = asked.terminal_id collate "C" and c.epoch = asked.epoch
    and numbers && int8range(asked.low, asked.high, '[]')
"""
Till = tuple[str, str, int]


class TenderSum(BaseModel):
    """What was paid by one means, in minor units. `closed`: the closings' sum; null without one."""

    currency: str
    kind: str
    received: int
    closed: int | None


class TaxSum(BaseModel):
    """What was sold at one tax rate, without tax, and the tax, in minor units.

    `rate_basis_points`: in hundredths of a percent. `closed_net`, `closed_tax`: the closings' sums;
    null without one.
    """

    currency: str
    rate_basis_points: int
    net: int
    tax: int
    closed_net: int | None
    closed_tax: int | None


class TerminalDay(BaseModel):
    """A till's day. `lacks`: why it is not complete."""

    system: str
    terminal_id: str | None = Field(description="Null: sales that have no receipt number.")
    epoch: int
    complete: bool
    lacks: list[Lack]
    closed: int | None = Field(description="Receipts that the till closed; null: not closed.")
    received: int = Field(description="Receipts that were received, by number.")
    missing: list[Gap] = Field(description="Numbers that were not received.")
    elsewhere: list[Gap] = Field(
        description="Numbers that the till closed on this day and that were received as of another."
    )
    beside: list[Gap] = Field(
        description="Numbers that were received as of this day and that it did not close."
    )
    tenders: list[TenderSum]
    taxes: list[TaxSum]


class BusinessDay(BaseModel):
    """A store's business day. Sums are of sales as they were rung up, without what came back.

    `complete`: whether every till that sent receipts has closed, all numbers of its closings were
    received, and the sums agree; null where nothing was told of the day. `missing`: how many
    numbers are missing.
    """

    store_id: str
    date: date
    complete: bool | None
    missing: int
    tenders: list[TenderSum]
    taxes: list[TaxSum]
    terminals: list[TerminalDay]


@projection.query("/v1/business-days/{store_id}/{day}", scope="stock:read")
async def business_day(read: Read, store_id: AskedLocation, day: CalendarDate) -> BusinessDay:
    """What was received of a store's business day, against what its tills closed."""
    values = {"store_id": store_id, "day": (day - EPOCH).days}
    uses = [till_receipt, closing, location]
    tills = [till_day(row) for row in await read.select(uses, ROWS, **values)]
    elsewhere = await _elsewhere(read, [till for till in tills if till.missing], values)
    tills = [replace(till, elsewhere=elsewhere.get(_name(till), [])) for till in tills]
    judged = [till for till in tills if till.numbered]
    return BusinessDay(
        store_id=store_id,
        date=day,
        complete=not any(till.lacks for till in judged) if judged else None,
        missing=sum(size(till.missing) for till in judged),
        tenders=_tenders(tills),
        taxes=_taxes(tills),
        terminals=[_terminal(till) for till in tills],
    )


async def _elsewhere(
    read: Read, tills: list[TillDay], values: dict[str, Any]
) -> dict[Till, Ranges]:
    """Of numbers that are missing on the day, those that were seen and that no other day closed."""
    if not tills:
        return {}
    asked = values | {
        "systems": [till.system for till in tills],
        "terminals": [till.terminal_id for till in tills],
        "epochs": [till.epoch for till in tills],
        "lows": [min(first for first, _ in till.missing) for till in tills],
        "highs": [max(last for _, last in till.missing) for till in tills],
    }
    seen = _by_till(await read.select([receipts], SEEN, **asked))
    other = _by_till(await read.select([closing], OTHER_DAYS, **asked))
    found = {}
    for till in tills:
        name = _name(till)
        known = without(seen.get(name, []), other.get(name, []))
        found[name] = without(till.missing, without(till.missing, known))
    return found


def _by_till(rows: Iterable[dict[str, Any]]) -> dict[Till, Ranges]:
    found: dict[Till, Ranges] = {}
    for row in rows:
        till = (row["system"], row["terminal_id"], row["epoch"])
        found.setdefault(till, []).append([row["first"], row["last"]])
    return found


def _name(till: TillDay) -> Till:
    return (till.system, till.terminal_id, till.epoch)


def _terminal(till: TillDay) -> TerminalDay:
    return TerminalDay(
        system=till.system,
        terminal_id=till.terminal_id if till.numbered else None,
        epoch=till.epoch,
        complete=not till.lacks,
        lacks=till.lacks,
        closed=sum(one.count for one in till.closings) if till.closings else None,
        received=size(till.numbers),
        missing=gaps_of(till.missing),
        elsewhere=gaps_of(till.elsewhere),
        beside=gaps_of(till.beside),
        tenders=_tenders([till]),
        taxes=_taxes([till]),
    )


def _tenders(tills: Iterable[TillDay]) -> list[TenderSum]:
    received, closed = Tenders(), Tenders()
    for till in tills:
        for key, amount in till.tenders.items():
            received[key] = received.get(key, 0) + amount
        for key, amount in till.closed_tenders().items():
            closed[key] = closed.get(key, 0) + amount
    return [
        TenderSum(
            currency=key[0], kind=key[1], received=received.get(key, 0), closed=closed.get(key)
        )
        for key in sorted({**received, **closed})
    ]


def _taxes(tills: Iterable[TillDay]) -> list[TaxSum]:
    received, closed = TaxSums(), TaxSums()
    for till in tills:
        _add(received, till.taxes)
        _add(closed, till.closed_taxes())
    return [
        TaxSum(
            currency=key[0],
            rate_basis_points=key[1],
            net=received.get(key, (0, 0))[0],
            tax=received.get(key, (0, 0))[1],
            closed_net=closed[key][0] if key in closed else None,
            closed_tax=closed[key][1] if key in closed else None,
        )
        for key in sorted({**received, **closed})
    ]


def _add(sums: TaxSums, more: TaxSums) -> None:
    for key, (net, tax) in more.items():
        before = sums.get(key, (0, 0))
        sums[key] = (before[0] + net, before[1] + tax)
