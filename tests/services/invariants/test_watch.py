"""Is a planted violation found, told apart from what is right, and gone once it is repaired?"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.backend import Endpoints
from projections.shared_stock import RESERVED, promise_id
from schemas.generated.events import (
    ReservationCommitted,
    StockCounted,
    StockReceived,
    TransferShipped,
)
from services.invariants.catalogue import INVARIANTS, SETS
from services.invariants.invariant import Check, Invariant, Key, by_sql
from services.invariants.single_end import ends_once
from services.invariants.watch import InvariantRound, InvariantWatch
from services.runtime.db import conninfo
from services.runtime.metrics import INVARIANT_CHECKED, INVARIANT_ROUNDS, INVARIANT_VIOLATIONS
from services.stock.invariants import COMMITTED_TO_AN_ORDER, PROMISED_TWICE, STOCK_RECOMPUTED
from tests.projections.driving import Engine, Log
from tests.projections.saying import T0, brought_back, meta, named, sold

pytestmark = pytest.mark.servers
Connection = AsyncConnection[TupleRow]
ENDS_ONCE = (ends_once(RESERVED, "stock"), COMMITTED_TO_AN_ORDER)
SKUS = [f"item-{number:02}" for number in range(9)]


class Filled(Engine):
    """An engine that is told one thing after the other."""

    log = Log()

    def told(self, *events: Any) -> None:
        self.tell(*events, log=self.log)


@pytest.fixture(scope="module")
def filled(servers: Endpoints) -> Iterator[Filled]:
    """A little of everything that moves stock."""
    own = Filled(servers)
    for sku in SKUS:
        own.told(
            StockReceived(meta=meta(minute=1), sku=sku, location_id="GINZA", quantity=9),
            sold(sku, 2, minute=5),
            StockCounted(meta=meta(), sku=sku, location_id="GINZA", quantity=8, counted_at=T0 + 3),
            sold(sku, 1, minute=9),
            brought_back(sku, disposition="QUALITY_CONTROL"),
            TransferShipped(
                meta=meta(),
                transfer_id=named("t"),
                sku=sku,
                from_location_id="UMEDA",
                to_location_id="GINZA",
                quantity=4,
            ),
        )
    yield own
    own.close()


@pytest.fixture
async def connection(filled: Filled) -> AsyncIterator[Connection]:
    info = conninfo(filled.dsn, group="main")
    async with await AsyncConnection.connect(info, autocommit=True) as own:
        yield own


def gauge(one: Invariant) -> float:
    return INVARIANT_VIOLATIONS.labels(one.name)._value.get()


async def test_violations_are_unknown_until_they_are_tested_and_when_testing_ends(
    filled: Filled,
) -> None:
    tested = asyncio.Event()

    async def fails(_connection: Connection, _keys: Any) -> Any:
        tested.set()
        raise psycopg.OperationalError("Postgres is away")

    watch = InvariantWatch(conninfo(filled.dsn), "main", [STOCK_RECOMPUTED], pause=0.01)
    assert math.isnan(gauge(STOCK_RECOMPUTED))
    await watch.start()
    async with asyncio.timeout(20):
        while math.isnan(gauge(STOCK_RECOMPUTED)):
            await asyncio.sleep(0.01)
    assert gauge(STOCK_RECOMPUTED) == 0
    watch.rounds[0].invariant = replace(STOCK_RECOMPUTED, broken=fails)
    async with asyncio.timeout(20):
        await tested.wait()
        while not math.isnan(gauge(STOCK_RECOMPUTED)):
            await asyncio.sleep(0.01)
    await watch.stop()


def noting(broken: Check, tested: set[Key]) -> Check:
    """The same test of keys; those whose test came to an end are added to `tested`."""

    async def noted(connection: Connection, keys: Any) -> Any:
        found = await broken(connection, keys)
        tested.update(keys)
        return found

    return noted


async def whole(one: InvariantRound, connection: Connection) -> None:
    """Until every key was tested."""
    before = INVARIANT_ROUNDS.labels(one.invariant.name)._value.get()
    while INVARIANT_ROUNDS.labels(one.invariant.name)._value.get() == before:
        await one.step(connection)


async def test_what_the_engine_made_holds_for_every_key(connection: Connection) -> None:
    one = InvariantRound(STOCK_RECOMPUTED)
    one.size = 4
    before = INVARIANT_CHECKED.labels(one.invariant.name)._value.get()
    await whole(one, connection)
    assert gauge(STOCK_RECOMPUTED) == 0
    checked = INVARIANT_CHECKED.labels(one.invariant.name)._value.get() - before
    assert checked == 2 * len(SKUS)


PLANTED = [
    ("on_hand", "on_hand + 1"),
    ("committed", "committed - 1"),
    ("unavailable", "0"),
    ("incoming", "incoming + 2"),
    ("on_hand_read", "on_hand_read - 1"),
]


@pytest.mark.parametrize(("column", "wrong"), PLANTED)
async def test_a_cell_changed_by_hand_raises_the_gauge_until_it_is_put_right(
    filled: Filled, connection: Connection, column: str, wrong: str
) -> None:
    key = (SKUS[6], "GINZA")
    where = "where sku = %s and location_id = %s"
    ((right,),) = filled.connection.execute(
        f"select {column} from stock_cell {where}".encode(), key
    ).fetchall()
    filled.connection.execute(f"update stock_cell set {column} = {wrong} {where}".encode(), key)
    one = InvariantRound(STOCK_RECOMPUTED)
    one.size = 3
    try:
        await whole(one, connection)
        assert gauge(STOCK_RECOMPUTED) == 1
        assert list(one.known) == [key]
        name = "counted" if column == "on_hand_read" else column
        violation = one.known[key]
        assert violation.expected[name] == right != violation.found[name]
    finally:
        filled.connection.execute(
            f"update stock_cell set {column} = %s {where}".encode(), [right, *key]
        )
    assert one.after is None, "the next slice begins far from the key"
    await one.step(connection)
    assert gauge(STOCK_RECOMPUTED) == 0


async def test_a_change_that_was_lost_or_doubled_is_seen(
    filled: Filled, connection: Connection
) -> None:
    execute = filled.connection.execute
    execute("create table kept as select * from stock_cell_change where sku = 'item-03'")
    execute("delete from stock_cell_change where sku = 'item-03'")
    one = InvariantRound(STOCK_RECOMPUTED)
    try:
        await whole(one, connection)
        assert {key[0] for key in one.known} == {"item-03"}
    finally:
        execute("insert into stock_cell_change select * from kept")
    await whole(one, connection)
    assert one.known == {}
    execute("insert into stock_promise select * from stock_promise where sku = 'item-04' limit 1")
    try:
        await whole(one, connection)
        assert {key[0] for key in one.known} == {"item-04"}
    finally:
        execute(
            "delete from stock_promise where ctid = (select max(ctid) from stock_promise"
            " where sku = 'item-04')"
        )
    await whole(one, connection)
    assert gauge(STOCK_RECOMPUTED) == 0


def hold(engine: Engine, state: str, sku: str = "item-00", name: UUID | None = None) -> UUID:
    """One line of a reservation, as a decider leaves it."""
    name = name or uuid4()
    ordered = state in ("committed", "applied")
    engine.connection.execute(
        "insert into stock_hold (id, sku, location_id, quantity, channel, client, state, order_id,"
        " served_by, expires_at) values (%s, %s, 'GINZA', 1, 'EC', 'ec', %s, %s, %s, now())",
        [name, sku, state, uuid4() if ordered else None, "GINZA" if ordered else None],
    )
    return name


def committed(name: UUID, sku: str = "item-00") -> ReservationCommitted:
    told = meta("EC")
    told.event_id = promise_id(name, sku, "GINZA").bytes
    return ReservationCommitted(
        meta=told,
        sku=sku,
        location_id="GINZA",
        reservation_id=name.bytes,
        order_id=uuid4().bytes,
        quantity=1,
    )


async def test_holds_that_ended_once_are_all_right(filled: Filled, connection: Connection) -> None:
    for state in ("open", "released", "expired", "committed"):
        hold(filled, state)
    applied, two = hold(filled, "committed"), hold(filled, "committed")
    hold(filled, "committed", "item-01", two)  # of two lines one is applied so far
    halfway = hold(filled, "expired")
    hold(filled, "open", "item-01", halfway)  # nobody asked about that item since
    filled.told(committed(applied), committed(two))
    assert {
        state
        for (state,) in filled.connection.execute(
            "select state from stock_hold where id = %s", [applied]
        )
    } == {"applied"}
    for invariant in ENDS_ONCE:
        one = InvariantRound(invariant)
        one.size = 2
        await whole(one, connection)
        assert one.known == {}
        assert gauge(invariant) == 0


TWICE: dict[str, tuple[str, bool, str | None]] = {
    # what: state, whether its promise was applied, what is done by hand then
    "released and promised": ("released", True, None),
    "past its time and promised": ("expired", True, None),
    "said to be applied and not in the log": ("applied", False, None),
    "applied and still held": ("committed", True, "update stock_hold set state = 'committed'"),
    "released after it was committed": (
        "committed", False, "update stock_hold set state = 'released'",
    ),
    "one line released, one committed": (
        "committed", False,
        "insert into stock_hold (id, sku, location_id, quantity, channel, client, state,"
        " expires_at) select id, 'item-08', 'GINZA', 1, 'EC', 'ec', 'released', now()"
        " from stock_hold",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TWICE)
async def test_a_hold_with_two_ends_is_found(
    filled: Filled, connection: Connection, what: str
) -> None:
    state, promised, by_hand = TWICE[what]
    name = hold(filled, state)
    if promised:
        filled.told(committed(name))
    if by_hand:
        filled.connection.execute(f"{by_hand} where id = %s".encode(), [name])
    rounds = [InvariantRound(invariant) for invariant in ENDS_ONCE]
    try:
        for one in rounds:
            await whole(one, connection)
        assert {key for one in rounds for key in one.known} == {(name,)}
        assert max(map(gauge, ENDS_ONCE)) == 1
    finally:
        filled.connection.execute("delete from stock_hold where id = %s", [name])
    for one in rounds:
        await one.step(connection)
    assert max(map(gauge, ENDS_ONCE)) == 0


def granted(engine: Engine, sku: str, units: int, place: str = "", since: str = "{}") -> None:
    """A hold as a decider keeps it; `since`: the position at which it saw the stock."""
    engine.connection.execute(
        "insert into stock_hold (id, sku, location_id, quantity, channel, client, expires_at,"
        " position) values (%s, %s, %s, %s, 'EC', 'ec', now() + interval '1 hour', %s)",
        [uuid4(), sku, place, units, since],
    )


def position(engine: Engine) -> str:
    ((stood,),) = engine.connection.execute(
        "select json_object_agg(topic || '-' || partition, next_offset)::text from checkpoint"
    ).fetchall()
    return str(stood)


async def test_units_promised_twice_are_found_and_undercut_ones_are_not(
    filled: Filled, connection: Connection
) -> None:
    """10 there, 10 promised without a location: 10 more at the location were never there."""
    skus = [f"promised-{name}" for name in ("once", "twice", "undercut", "too often", "here")]
    for sku in skus:
        filled.told(StockReceived(meta=meta(minute=1), sku=sku, location_id="GINZA", quantity=10))
        granted(filled, sku, 10, "GINZA" if sku == skus[4] else "", since=position(filled))
    once, twice, undercut, too_often, here = skus
    granted(filled, twice, 10, "GINZA", since=position(filled))
    for sku in (undercut, too_often):
        filled.told(sold(sku, 3, minute=5))
    granted(filled, here, 1, "GINZA", since=position(filled))
    one = InvariantRound(PROMISED_TWICE)
    try:
        await whole(one, connection)
        assert set(one.known) == {(twice,), (here,)}
        assert one.known[(twice,)].found == "10 units short"
        # the sale explains what was missing before this grant, and not that it was made
        granted(filled, too_often, 1, since=position(filled))
        one.after = None
        await whole(one, connection)
        assert set(one.known) == {(twice,), (here,), (too_often,)}
    finally:
        filled.connection.execute("delete from stock_hold where sku = any(%s)", [skus])
    await one.step(connection)
    assert gauge(PROMISED_TWICE) == 0
    assert (once,) not in one.known


async def test_a_key_that_takes_too_long_does_not_keep_the_others_waiting(
    filled: Filled, connection: Connection
) -> None:
    execute = filled.connection.execute
    execute("create table numbered as select n from generate_series(1, 9) n")
    key = {"n": "int"}
    slow = "select n, '0'::json, '1'::json from k where n = 7 or n = 3 and pg_sleep(30) is not null"
    invariant = Invariant("of_a_test", "", "test", "numbered", key, by_sql(key, slow))
    await connection.execute("set statement_timeout = '150ms'")
    one = InvariantRound(invariant)
    tested: set[Key] = set()
    noted = noting(invariant.broken, tested)
    one.invariant = Invariant("of_a_test", "", "test", "numbered", key, noted)
    await whole(one, connection)
    assert {number for (number,) in tested} == {1, 2, 4, 5, 6, 7, 8, 9}
    assert list(one.known) == [(7,)]


async def test_a_violation_that_is_slow_to_test_again_does_not_hide_other_keys(
    filled: Filled, connection: Connection
) -> None:
    filled.connection.execute("create table counted as select n from generate_series(1, 9) n")
    key = {"n": "int"}
    found = "select n, '0'::json, '1'::json from k where n = 9"
    waits = "case n when 9 then pg_sleep(30) end is not null"
    slow = f"select n, '0'::json, '1'::json from k where {waits}"
    await connection.execute("set statement_timeout = '150ms'")
    one = InvariantRound(Invariant("of_a_test", "", "test", "counted", key, by_sql(key, found)))
    await whole(one, connection)
    assert list(one.known) == [(9,)]
    tested: set[Key] = set()
    noted = noting(by_sql(key, slow), tested)
    one.invariant = Invariant("of_a_test", "", "test", "counted", key, noted)
    await whole(one, connection)
    assert {number for (number,) in tested} == set(range(1, 9)), "all but the slow one"


def test_each_invariant_has_a_name_a_sentence_and_a_set() -> None:
    names = [one.name for one in INVARIANTS]
    assert len(set(names)) == len(names)
    for one in INVARIANTS:
        assert one.says.endswith(".")
        assert one.about in SETS
