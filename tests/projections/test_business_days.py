"""Is every incomplete day of a month found, none falsely, and are the sums right?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from infra.backend import Endpoints
from projections.catalog import calendar_at, location
from projections.catalog import projection as catalog
from projections.core.fold import Group
from projections.core.memory import Memory
from projections.terminal_gaps import DAYS_NEAR, closing, projection, till_receipt
from projections.terminal_gaps.closings import closing_of
from projections.terminal_gaps.day_rows import till_days
from projections.terminal_gaps.day_watch import COLUMNS, DAYS, incomplete_days
from projections.terminal_gaps.number_holes import MISSING_IN_ALL
from projections.terminal_gaps.odd_stamps import BEFORE_CLOSED_DAYS, FAR_DATES
from projections.terminal_gaps.till_days import TillDay, joined, till_day
from tests.projections.driving import Engine, Log
from tests.projections.month_of_tills import Month, month

Key = tuple[str, int, str, int]
GROUP = Group("main", [catalog, projection])


def name(day: TillDay) -> Key:
    return (day.store_id, day.day, day.terminal_id, day.epoch)


def folded(made: Month) -> Memory:
    memory = Memory(GROUP)
    for number, event in enumerate(event for batch in made.batches for event in batch):
        memory.take(event, number % 4)
    return memory


def days_in(memory: Memory) -> list[TillDay]:
    """Every day of a till, from rows in memory; the receipts by the calendars of their stores."""
    stores: dict[str, list[Any]] = defaultdict(list)
    for row in memory.table(location).values():
        stores[row["location_id"]].append(row)
    closings: dict[Key, list[Any]] = defaultdict(list)
    for row in memory.table(closing).values():
        key = (row["store_id"], row["day"], row["terminal_id"], row["epoch"])
        closings[key].append((row["first"], row["said"]))
    found: dict[Key, TillDay] = {}
    for key, told in closings.items():
        found[key] = TillDay(
            key[0], key[1], "pos", *key[2:], tuple(closing_of(said) for _, said in sorted(told))
        )
    for row in memory.table(till_receipt).values():
        calendar = calendar_at(stores[row["store_id"]], row["at"])
        day = calendar.business_date(row["at"], row["told_day"])
        assert abs(day - row["day"]) <= DAYS_NEAR
        key = (row["store_id"], day, row["terminal_id"], row["epoch"])
        till = found.setdefault(key, TillDay(key[0], day, "pos", *key[2:]))
        found[key] = _with(till, row)
    return [replace(till, numbers=joined(till.numbers)) for till in found.values()]


def _with(till: TillDay, row: Any) -> TillDay:
    till.numbers.append([row["sequence"]] * 2)
    if row["tenders"] is not None:
        said = '{"ranges": [], "count": 0, "currency": "JPY", "tenders": %s, "taxes": %s}'
        more = closing_of(said % (row["tenders"], row["taxes"]))
        for kind, amount in more.tenders.items():
            till.tenders["JPY", kind] = till.tenders.get(("JPY", kind), 0) + amount
        for rate, (net, tax) in more.taxes.items():
            before = till.taxes.get(("JPY", int(rate)), (0, 0))
            till.taxes["JPY", int(rate)] = (before[0] + net, before[1] + tax)
    return till


@pytest.fixture(scope="module")
def drawn() -> Month:
    return month(seed=11, per_day=(1, 5))


def test_every_incomplete_day_of_a_month_is_found_and_none_falsely(drawn: Month) -> None:
    days = days_in(folded(drawn))
    assert {name(day) for day in days} == drawn.days
    assert {name(day) for day in days if day.lacks} == drawn.incomplete
    assert len(drawn.days) == 6_000 and len(drawn.incomplete) > 200


def test_the_order_of_arrival_does_not_matter(drawn: Month) -> None:
    some = Month(batches=[[e for e in batch if _of_store(e, "S007")] for batch in drawn.batches])
    backwards = Month(batches=[batch[::-1] for batch in some.batches[::-1]])
    one, other = days_in(folded(some)), days_in(folded(backwards))
    assert {name(day): day for day in one} == {name(day): day for day in other}


def _of_store(event: Any, code: str) -> bool:
    return getattr(event, "location_id", event.meta.producer.store_id) == code


@pytest.fixture(scope="module")
def stored(servers: Endpoints, drawn: Month) -> Iterator[Engine]:
    """The month in Postgres."""
    engine, log = Engine(servers, GROUP), Log()
    for batch in drawn.batches:
        for event in batch:
            log.append(event)
        engine.apply(log.batch())
    engine.connection.execute("analyze")
    yield engine
    engine.close()


def asked(engine: Engine, statement: str) -> list[dict[str, Any]]:
    with engine.connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(statement.encode()).fetchall()


def of_month(drawn: Month) -> str:
    days = [day for _, day, _, _ in drawn.days]
    return till_days(str(min(days)), str(max(days)), "true")


@pytest.mark.servers
def test_postgres_finds_the_same_days(stored: Engine, drawn: Month) -> None:
    days = [till_day(row) for row in asked(stored, of_month(drawn))]
    assert {name(day) for day in days} == drawn.days
    assert {name(day) for day in days if day.lacks} == drawn.incomplete
    plain = {name(day): day for day in days_in(folded(drawn))}
    for day in days:
        known = replace(day, numbers=joined(day.numbers))
        assert known == plain[name(day)]


@pytest.mark.servers
def test_sums_by_tender_and_rate_are_those_of_sql(stored: Engine, drawn: Month) -> None:
    days = [till_day(row) for row in asked(stored, of_month(drawn))]
    paid: Counter[tuple[Any, ...]] = Counter()
    taxed: Counter[tuple[Any, ...]] = Counter()
    for day in days:
        for (_, kind), amount in day.tenders.items():
            paid[day.store_id, day.day, kind] += amount
        for (_, rate), (net, tax) in day.taxes.items():
            taxed[day.store_id, day.day, rate, "net"] += net
            taxed[day.store_id, day.day, rate, "tax"] += tax
    with stored.connection.cursor() as cursor:
        cursor.execute("create temp table tender (store text, day int, kind text, amount bigint)")
        cursor.executemany("insert into tender values (%s, %s, %s, %s)", drawn.paid)
        cursor.execute("select store, day, kind, sum(amount)::bigint from tender group by 1, 2, 3")
        assert +paid == {tuple(row[:3]): row[3] for row in cursor if row[3]}
        cursor.execute("create temp table rate (store text, day int, r int, n bigint, t bigint)")
        cursor.executemany("insert into rate values (%s, %s, %s, %s, %s)", drawn.taxed)
        rows = cursor.execute("select store, day, r, sum(n)::bigint, sum(t)::bigint from rate"
                              " group by 1, 2, 3").fetchall()  # fmt: skip
    assert +taxed == {
        (*row[:3], what): value
        for row in rows for what, value in (("net", row[3]), ("tax", row[4])) if value
    }  # fmt: skip


@pytest.mark.servers
def test_no_stamp_of_the_month_is_odd(stored: Engine) -> None:
    assert asked(stored, FAR_DATES) == asked(stored, BEFORE_CLOSED_DAYS) == []


@pytest.mark.servers
def test_numbers_that_start_anew_are_not_missing(stored: Engine, drawn: Month) -> None:
    """Not more are missing than were lost, or lie between days of which a closing was lost."""
    (row,) = asked(stored, MISSING_IN_ALL)
    assert 0 < row["coalesce"] <= drawn.lost


@pytest.mark.servers
def test_the_measure_counts_days_of_stores(stored: Engine, drawn: Month) -> None:
    rows = asked(stored, f"select d.*, true as closes from ({of_month(drawn)}) d")
    found = incomplete_days([tuple(row[column] for column in COLUMNS) for row in rows])
    assert found == len({key[:2] for key in drawn.incomplete})
    assert asked(stored, DAYS) == [], "the month is over for longer than two weeks"
