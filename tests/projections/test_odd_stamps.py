"""Which receipts have a time or a date that cannot be right?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from projections.core.instants import DAY
from projections.terminal_gaps.number_holes import WIDE_HOLES
from projections.terminal_gaps.odd_stamps import BEFORE_CLOSED_DAYS, FAR_DATES
from schemas.calendars import nominal_date
from schemas.fields import time_zones
from schemas.generated.events import LocationDescribed, PurchaseCompleted, TerminalDayClosed
from schemas.generated.events.parts import Producer
from tests.projections.driving import Engine
from tests.projections.saying import T0, meta, sold

pytestmark = pytest.mark.servers
FIRST = nominal_date(T0)


def receipt(number: int, day: int, stamped: int | None = None, epoch: int = 0) -> PurchaseCompleted:
    """A sale of a day, whose till stamps it as of a day, both counted from the first."""
    event = sold("tea", receipt=f"{epoch} {number} {day}")
    producer = replace(meta(receipt=number).producer, terminal_epoch=epoch)
    at = T0 + (day if stamped is None else stamped) * DAY + number
    return replace(event, meta=replace(event.meta, occurred_at=at, producer=producer))


def closed(day: int, first: int, last: int, epoch: int = 0) -> TerminalDayClosed:
    return TerminalDayClosed(
        meta=meta(minute=day * 1440), location_id="GINZA", terminal_id="1", terminal_epoch=epoch,
        business_date=FIRST + day, first_number=first, last_number=last, count=last - first + 1,
        currency="JPY",
    )  # fmt: skip


def odd(engine: Engine, statement: str) -> list[dict[str, Any]]:
    with engine.connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(statement.encode()).fetchall()


def late(engine: Engine) -> set[bytes]:
    return {row["event_id"].bytes for row in odd(engine, BEFORE_CLOSED_DAYS)}


def looked_at(plan: dict[str, Any]) -> int:
    """How many rows the nodes of a plan gave or left out."""
    rows = plan["Actual Rows"] + sum(plan.get(name, 0) for name in LEFT_OUT)
    below = sum(looked_at(one) for one in plan.get("Plans", ()))
    return int(rows * plan["Actual Loops"]) + below


LEFT_OUT = ("Rows Removed by Filter", "Rows Removed by Join Filter")
DAYS = [receipt(number, day) for day in range(3) for number in range(10 * day + 1, 10 * day + 11)]


@pytest.mark.parametrize(
    ("numbers", "closings"),
    [
        pytest.param((25, 26), [closed(2, 21, 30)], id="amid a day"),
        pytest.param(range(21, 31), [closed(2, 21, 30)], id="a whole day"),
        pytest.param((30,), [closed(2, 21, 30)], id="the last of a day"),
        pytest.param((25, 26), [], id="a day that is not closed yet"),
    ],
)
@pytest.mark.parametrize("back", [400, 9_000])
def test_a_till_falls_back(
    engine: Engine, numbers: range, closings: list[TerminalDayClosed], back: int
) -> None:
    engine.reset()
    wrong = [receipt(number, 2, stamped=2 - back) for number in numbers]
    right = [one for one in DAYS if one.meta.producer.terminal_sequence not in numbers]
    engine.tell(closed(0, 1, 10), closed(1, 11, 20), *right, *wrong, *closings)
    assert late(engine) == {one.meta.event_id for one in wrong}


@pytest.mark.parametrize("closings", [(0, 1, 2), (1, 2), (0, 2), (2,), ()])
def test_days_that_are_in_order(engine: Engine, closings: tuple[int, ...]) -> None:
    """Whichever were closed, and of whichever the till starts anew."""
    engine.reset()
    plain = (closed(day, 10 * day + 1, 10 * day + 10) for day in closings)
    anew = [receipt(number, day, epoch=1) for day in range(3) for number in range(1, 11 - day)]
    lost = [one for one in anew if one.meta.producer.terminal_sequence not in (1, 5)]
    engine.tell(*DAYS, *plain, *lost, *(closed(day, 1, 10 - day, epoch=1) for day in closings))
    assert late(engine) == set()


def test_dates_that_are_far_from_the_time(engine: Engine) -> None:
    """By the calendar of the store, which may be described later."""
    engine.reset()
    at = T0 - T0 % DAY + 20 * DAY // 24  # 20:00 in Greenwich: the next day in Japan and Auckland
    day = at // DAY
    told = {apart: _dated(at, day + apart) for apart in range(-4, 5)}
    engine.tell(*told.values())
    assert _far(engine, told) == {-4, -3, -2, 4}
    described = LocationDescribed(
        meta=meta(), location_id="GINZA", kind="STORE", name="Ginza", valid_from=0,
        time_zone="America/New_York", day_starts_at="05:00",
    )  # fmt: skip
    engine.tell(described)
    assert _far(engine, told) == {-4, -3, 3, 4}


def _dated(at: int, told: int) -> PurchaseCompleted:
    event = sold("tea", receipt=f"dated {told}")
    producer = Producer(system="ec", channel="EC")
    moved = replace(event.meta, occurred_at=at, producer=producer)
    return replace(event, meta=moved, business_date=told)


def _far(engine: Engine, told: dict[int, PurchaseCompleted]) -> set[int]:
    ids = {row["event_id"].bytes for row in odd(engine, FAR_DATES)}
    return {apart for apart, event in told.items() if event.meta.event_id in ids}


@pytest.mark.parametrize(
    ("closings", "holes"),
    [
        ([], [(11, 5_000)]),
        ([closed(0, 1, 10)], []),
        ([closed(1, 5_001, 5_002)], []),
        ([closed(0, 1, 9)], [(11, 5_000)]),
    ],
)
def test_a_wide_hole(
    engine: Engine, closings: list[TerminalDayClosed], holes: list[tuple[int, int]]
) -> None:
    engine.reset()
    early = [receipt(number, 0) for number in range(1, 11)]
    engine.tell(*early, *(receipt(number, 1) for number in (5_001, 5_002)), *closings)
    found = [row["quantity"] for row in odd(engine, WIDE_HOLES)]
    assert found == [last - first + 1 for first, last in holes]


def test_postgres_knows_every_time_zone_that_a_store_may_have(engine: Engine) -> None:
    """A business date is computed in SQL too."""
    rows = engine.connection.execute("select name from pg_timezone_names").fetchall()
    names = {str(name).lower() for (name,) in rows}
    assert {zone for zone in time_zones() if zone.lower() not in names} == set()


def test_what_is_looked_at_grows_with_the_days_and_not_with_their_square(engine: Engine) -> None:
    """A till that starts anew each day; of every tenth day the closing and number 1 are lost."""
    engine.reset()
    days, lost = range(200), range(5, 200, 10)
    told = [receipt(number, day) for day in days for number in (1, 2, 3)]
    sent = [one for one in told if _number(one) > 1 or _day(one) not in lost]
    engine.tell(*sent, *(closed(day, 1, 3) for day in days if day not in lost))
    assert late(engine) == set()
    found = odd(engine, f"explain (analyze, format json) {BEFORE_CLOSED_DAYS}")
    assert looked_at(found[0]["QUERY PLAN"][0]["Plan"]) < 200 * len(days)


def _number(event: PurchaseCompleted) -> int:
    return event.meta.producer.terminal_sequence or 0


def _day(event: PurchaseCompleted) -> int:
    return (event.meta.occurred_at - T0) // DAY
