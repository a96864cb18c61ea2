"""Is what is folded anew put in place of the live tables, repaired, and by nobody missed?"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from uuid import UUID

import psycopg
import pytest

from projections import discover
from projections.point_balance import projection as point_balance
from services.rebuild.run import Rebuild
from services.rebuild.swap import Swap, SwapBlocked
from tests.services.rebuild.road import Road, road
from tests.services.rebuild.trade import WATCHED, Trade
from tests.services.rebuild.watching import Watching

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
EVENTS = 15_000
NAMES = [one.name for one in discover()]


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    with road(tmp_path_factory.mktemp("rebuild")) as own:
        own.start("projector")
        own.send(Trade(5).records(EVENTS))
        own.settle(EVENTS)
        yield own


def here(settled: Road, *names: str, check: bool = False) -> Any:
    """A rebuild within this process, so that a test can stand in its way."""
    work = Rebuild(settled.settings, discover(), list(names))
    return work.run(fresh=False, check=check, progress=lambda step, done, whole: None)


def folded(settled: Road) -> int:
    try:
        return int(
            settled.sql("select coalesce(sum(next_offset), 0) from main_rebuild.progress")[0][0]
        )
    except psycopg.errors.UndefinedTable:
        return 0


def killed_on_the_way(settled: Road, *names: str) -> int:
    """Begins a rebuild and ends it by SIGKILL once it has stored something more."""
    before = folded(settled)
    process = settled.begin("rebuild", *names)
    deadline = time.monotonic() + 60
    while (now := folded(settled)) <= before:
        assert process.poll() is None, "it was done before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return now


def live_tables(settled: Road) -> dict[str, int]:
    rows = settled.sql(
        "select relname::text, oid::bigint from pg_class where relkind = 'r'"
        " and relnamespace = 'main'::regnamespace"
    )
    return dict(rows)


def under_load(settled: Road, seed: int, rate: int, kills: int, watching: Watching) -> Any:
    """All projections folded anew while events flow; what the last run of it said."""
    ending = threading.Event()
    flow = threading.Thread(
        target=settled.send,
        args=[Trade(seed).records(1_000_000)],
        kwargs={"rate": rate, "end": ending},
    )
    watching.start()
    flow.start()
    try:
        for _ in range(kills):
            killed_on_the_way(settled)
        report = settled.verb("rebuild")
        time.sleep(3)
    finally:
        ending.set()
        flow.join(60)
        watching.stop()
    return report


HELD = "select sum(points)::bigint from point_entry where profile_id = %s"


def raised(settled: Road, who: UUID) -> UUID:
    """One of the profile's entries is changed by hand; its event."""
    ((event_id,),) = settled.sql(
        "update point_entry set points = points + 7 where number = 0 and event_id = (select"
        " min(event_id::text)::uuid from point_entry where profile_id = %s and number = 0)"
        " returning event_id",
        who,
    )
    found: UUID = event_id
    return found


@pytest.mark.long
def test_rebuilt_under_load_and_killed_twice_nobody_sees_a_gap_or_a_step_back(
    settled: Road,
) -> None:
    watching = Watching(settled, settled.api())
    tables = live_tables(settled)
    report = under_load(settled, 6, 300, 2, watching)
    assert report["resumed"]
    assert report["swapped"]
    assert report["differences"] == []
    assert set(report["rows"]) >= {"point_entry", "stock_cell", "sale", "inquiry", "profile"}
    assert report["events"] < settled.applied()
    assert watching.wrong == []
    assert min(watching.asked.values()) > 20
    assert "redis" in watching.sources
    now = live_tables(settled)
    assert {name for name in tables if tables[name] == now[name]} == {"ledger", "erased_subject"}
    settled.settle(EVENTS)
    assert settled.verb("verify")["total"] == 0
    assert not settled.sql("select 1 from pg_namespace where nspname = 'main_rebuild'")


@pytest.mark.long
def test_rebuilt_at_length_under_a_thousand_events_a_second(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with road(tmp_path_factory.mktemp("rebuild-at-length")) as own:
        own.start("projector")
        own.start("projector")
        own.send(Trade(7, people=20_000, items=2_000).records(200_000))
        own.settle(200_000, seconds=300)
        watching = Watching(own, own.api())
        report = under_load(own, 8, 1_000, 2, watching)
        assert report["resumed"]
        assert report["differences"] == []
        assert watching.wrong == []
        own.settle(200_000)
        assert own.verb("verify")["total"] == 0


def test_what_differs_is_said_and_repaired_in_redis_too(settled: Road) -> None:
    event_id = raised(settled, WATCHED[0])
    settled.sql("delete from stock_cell where sku = 'item-001'")
    checked = settled.verb("rebuild", "--check", "point_balance", "shared_stock", code=1)
    assert not checked["swapped"]
    assert settled.verb("verify", "point_balance", code=1)["total"] == 1
    tables = live_tables(settled)
    report = settled.verb("rebuild", "point_balance", "shared_stock")
    differing = {name: many for name, many in report["rows"].items() if many}
    assert differing.keys() == {"point_entry", "stock_cell"}
    assert differing["point_entry"] == 1
    (one,) = [each for each in report["differences"] if each["table"] == "point_entry"]
    assert one["key"] == [str(event_id), "0"]
    assert one["found"]["points"] - one["expected"]["points"] == 7
    now = live_tables(settled)
    assert now["inquiry"] == tables["inquiry"], "the tables of other projections stay"
    assert now["point_entry"] != tables["point_entry"]
    assert settled.verb("verify")["total"] == 0


@contextmanager
def held(swap: Swap) -> Iterator[None]:
    """The live checkpoints, as soon as Redis is not being filled from them."""
    with ExitStack() as stack:

        def is_free() -> bool:
            with suppress(SwapBlocked):
                stack.enter_context(swap.held())
                return True
            return False

        _until(is_free)
        yield


def test_a_row_that_no_event_made_goes_from_redis_too(settled: Road) -> None:
    ghost = "00000000-0000-0000-ffff-0000000000aa"
    settled.sql(
        "insert into point_entry (event_id, number, profile_id, lot_id, kind, points, at)"
        " values (%s, 0, gen_random_uuid(), gen_random_uuid(), 'earned', 1, 1)",
        ghost,
    )
    generation = settled.sql("select generation from cache_generation")
    report = settled.verb("rebuild", "point_balance")
    assert report["rows"] == {"point_entry": 1, "points_across": 0, "program_rules": 0}
    assert report["differences"][0]["expected"] is None
    deadline = time.monotonic() + 30
    while settled.sql("select generation from cache_generation") in ([], generation):
        assert time.monotonic() < deadline, "Redis was not filled under a new generation"
        time.sleep(0.2)
    settled.settle(EVENTS)
    assert settled.verb("verify")["total"] == 0


def test_a_reader_with_an_older_snapshot_is_waited_for_and_sees_what_it_saw(
    settled: Road,
) -> None:
    raised(settled, WATCHED[1])
    ((before,),) = settled.sql(HELD, WATCHED[1])
    done: list[Any] = []
    work = threading.Thread(target=lambda: done.append(here(settled, "point_balance")))
    with psycopg.connect(settled.endpoints.postgres, autocommit=True) as reader:
        reader.execute("begin isolation level repeatable read read only")
        reader.execute("select count(*) from hitotsu.checkpoint")
        work.start()
        time.sleep(6)
        assert not done, "it swapped under a reader that had begun before"
        row = reader.execute(
            HELD.replace("point_entry", "main.point_entry"), [WATCHED[1]]
        ).fetchone()
        assert row == (before,)
        reader.execute("commit")
    work.join(60)
    assert done[0].swapped
    after = settled.sql(HELD, WATCHED[1])
    assert after == [(before - 7,)]


def test_it_waits_no_longer_than_that_reader_reads(
    settled: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.rebuild.swap.OLD_SNAPSHOT_SECONDS", 60.0)
    with psycopg.connect(settled.endpoints.postgres, autocommit=True) as reader:
        swap = Swap(settled.settings.postgres, "main", reader)
        try:
            with psycopg.connect(settled.endpoints.postgres) as older:
                older.execute("set transaction isolation level repeatable read")
                older.execute("select count(*) from hitotsu.checkpoint")
                threading.Timer(0.5, older.rollback).start()
                with held(swap):
                    began = time.monotonic()
                    swap.wait_for_old_snapshots()
                assert 0.3 < time.monotonic() - began < 30
        finally:
            swap.close()


def test_who_waits_behind_one_that_waits_for_it_is_not_waited_for(settled: Road) -> None:
    dsn, waiters = settled.endpoints.postgres, list[threading.Thread]()
    with psycopg.connect(dsn, autocommit=True) as reader:
        swap = Swap(settled.settings.postgres, "main", reader)
        try:
            with held(swap):
                for _ in range(2):
                    waiters.append(threading.Thread(target=_wants_the_checkpoints, args=[dsn]))
                    waiters[-1].start()
                    _until(lambda: _blocked(settled) == len(waiters))
                swap.wait_for_old_snapshots()
        finally:
            swap.close()
    for waiter in waiters:
        waiter.join(10)


def _wants_the_checkpoints(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("select 1 from hitotsu.checkpoint order by partition for update")


def _blocked(settled: Road) -> int:
    """How many wait for a row of the checkpoints or behind one who does."""
    waits = "select count(*) from pg_stat_activity where wait_event in ('transactionid', 'tuple')"
    return int(settled.sql(f"{waits} and query like 'select 1 from hitotsu.checkpoint%%'")[0][0])


def test_without_that_wait_the_reader_would_step_back(
    settled: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: why the swap waits."""
    monkeypatch.setattr(Swap, "wait_for_old_snapshots", lambda self: None)
    raised(settled, WATCHED[1])
    ((before,),) = settled.sql(HELD, WATCHED[1])
    with psycopg.connect(settled.endpoints.postgres, autocommit=True) as reader:
        reader.execute("begin isolation level repeatable read read only")
        reader.execute("select count(*) from hitotsu.checkpoint")
        assert here(settled, "point_balance").swapped
        row = reader.execute(
            HELD.replace("point_entry", "main.point_entry"), [WATCHED[1]]
        ).fetchone()
    assert row != (before,)


def test_only_one_rebuild_of_a_group_is_at_work(settled: Road) -> None:
    with psycopg.connect(settled.endpoints.postgres, autocommit=True) as other:
        other.execute("select pg_advisory_lock(hashtext('hitotsu.rebuild.main'))")
        process = settled.begin("rebuild", "point_balance")
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"another rebuild of the group main is running" in errors
    assert b"Traceback" not in errors


def test_a_name_that_is_none_is_refused(settled: Road) -> None:
    process = settled.begin("rebuild", "point_balanec")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"unknown projection 'point_balanec'" in errors


def test_a_raised_version_is_rebuilt_and_older_projectors_are_sent_away(
    settled: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = point_balance.version
    monkeypatch.setattr(point_balance, "version", before + 1)
    report = here(settled, "point_balance")
    assert report.swapped
    assert report.rows == {"point_entry": 0, "points_across": 0, "program_rules": 0}
    version = "select version from projection_version where projection = 'point_balance'"
    assert settled.sql(version) == [(before + 1,)]
    assert settled.sql("select distinct owner from checkpoint") == [(None,)]
    settled.send(Trade(9).records(300))
    _until(lambda: settled.ended("projector"))
    settled.start("projector")  # of the older version: it must refuse these tables
    _until(lambda: settled.ended("projector"))
    assert "VersionChanged" in (settled.home / "projector.log").read_text()
    monkeypatch.setattr(point_balance, "version", before)
    here(settled, "point_balance")
    settled.start("projector")
    settled.settle(EVENTS + 300)
    assert settled.verb("verify")["total"] == 0


def _until(true: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)
