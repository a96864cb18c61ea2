"""Only the owner of a checkpoint moves it, only from where it stands, and each batch once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from services.projector.apply import Applier, Fenced
from services.projector.database import prepare
from tests.projections.driving import OWNER, Engine, Log, place_of
from tests.services.projector.facts import CUSTOMER, earned, received

pytestmark = pytest.mark.servers


def held(engine: Engine) -> int:
    """The customer's points; an entry stored twice would count twice."""
    statement = "select coalesce(sum(points), 0)::int from point_entry where profile_id = %s"
    row = engine.connection.execute(statement, [UUID(bytes=CUSTOMER)]).fetchone()
    return int(row[0]) if row else 0


def test_another_owner_took_over_so_nothing_of_the_batch_is_applied(engine: Engine) -> None:
    log = Log()
    log.append(earned(1))
    work = engine.work(log.batch())
    engine.connection.execute("update checkpoint set epoch = 2, owner = %s", [UUID(int=9)])
    with pytest.raises(Fenced, match="epoch 2"):
        list(engine.writer.apply(work))
    assert held(engine) == 0
    assert engine.counts()["next_offset"] == 0
    assert engine.connection.execute("select count(*) from ledger").fetchone() == (0,)


def test_a_zombie_that_wakes_after_its_successor_has_written_changes_nothing(
    engine: Engine,
) -> None:
    log = Log()
    log.append(earned(1))
    batch = log.batch()
    zombie, successor = engine.writer, engine.another(UUID(int=9))
    late = engine.work(batch, zombie)
    # not even with the right epoch: the offsets alone must stop it
    list(successor.apply(engine.work(batch, successor)))
    with pytest.raises(Fenced, match="checkpoint is at 1"):
        list(zombie.apply(late))
    assert held(engine) == 10
    assert engine.counts()["applied"] == 1


def test_a_frozen_owner_does_not_hold_its_successor_up_for_ever(engine: Engine) -> None:
    frozen = engine.writer.connection
    assert frozen is not None
    frozen.execute("begin")
    frozen.execute("select * from checkpoint for update")
    successor = engine.another(UUID(int=9))
    log = Log()
    log.append(earned(1))
    # Postgres ends a transaction that sits idle for 5 s, and its locks with it
    list(successor.apply(engine.work(log.batch(), successor)))
    assert held(engine) == 10
    engine.writer._disconnect()


def test_records_that_are_missing_from_the_log_stop_the_batch(engine: Engine) -> None:
    log = Log()
    for number in range(5):
        log.append(earned(number))
    batch = log.batch()
    ((place, records),) = batch.items()
    with pytest.raises(Fenced, match="checkpoint is at 0"):
        engine.apply({place: records[2:]})
    first, last = engine.work({place: records[:2]}), engine.work({place: records[3:]})
    first.slices += last.slices
    with pytest.raises(Fenced, match="missing"):
        list(engine.writer.apply(first))
    assert held(engine) == 0


def _cut(engine: Engine) -> None:
    """Ends the writer's backend, whatever it is doing."""
    engine.connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = %s and application_name = 'hitotsu-projector'",
        [engine.name],
    )


@pytest.mark.parametrize("committed", [True, False], ids=["after commit", "before commit"])
def test_a_batch_whose_reply_was_lost_is_in_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    apply, lost = Applier.apply, list[Any]()

    def cut_once(self: Applier, connection: Any, work: Any) -> Any:
        if lost:
            return apply(self, connection, work)
        lost.append(work)
        if committed:
            apply(self, connection, work)
        _cut(engine)
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(Applier, "apply", cut_once)
    engine.tell(earned(1), earned(2))
    assert lost
    assert held(engine) == 20
    assert engine.counts()["applied"] == 2


def test_postgres_cut_in_the_middle_of_every_other_batch_loses_and_doubles_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, batches = engine.writer.applier._advance, []

    def cut(connection: Any, work: Any, edges: Any) -> None:
        batches.append(work)
        if len(batches) % 2:
            _cut(engine)
        store(connection, work, edges)

    monkeypatch.setattr(engine.writer.applier, "_advance", cut)
    log = Log()
    for number in range(6):
        engine.tell(earned(number), earned(number), log=log)
    assert held(engine) == 60
    found = engine.counts()
    assert (found["applied"], found["duplicate"]) == (6, 6)


def test_a_checkpoint_names_its_owner(engine: Engine) -> None:
    engine.tell(earned(1))
    owners = engine.connection.execute("select distinct owner from checkpoint").fetchall()
    assert owners == [(OWNER,)]


def test_who_holds_other_partitions_of_the_same_topics_is_not_waited_for(engine: Engine) -> None:
    points, p = place_of("commerce.points", CUSTOMER)
    sku, stock, q = next(
        (sku, *place)
        for sku in ("tea", "cup", "pot", "tin", "mug")
        if (place := place_of("commerce.inventory", sku.encode()))[1] != p
    )
    locked = "select from checkpoint where (topic, partition) in ((%s, %s), (%s, %s)) for update"
    with engine.connection.transaction():
        found = engine.connection.execute(locked, [points, q, stock, p])
        assert found.rowcount == 2
        assert engine.writer.connection is not None
        engine.writer.connection.execute("set lock_timeout = '1s'")
        engine.tell(earned(1), received(2, 3, sku))
    assert held(engine) == 10
    engine.writer.connection.execute("set lock_timeout = '5s'")


def test_a_worker_that_starts_waits_for_nobody_who_writes(engine: Engine) -> None:
    tables = engine.connection.execute(
        "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables"
        " where schemaname in ('hitotsu', %s)",
        [engine.group.name],
    ).fetchall()
    assert len(tables) > 30
    with engine.connection.transaction():
        names = ", ".join(name for (name,) in tables)
        engine.connection.execute(f"lock table {names} in row exclusive mode".encode())
        prepare(make_conninfo(engine.dsn, options="-c lock_timeout=1s"), engine.group)


def test_a_checkpoint_that_another_owner_moved_is_no_lost_reply(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, apply, lost = Log(), Applier.apply, list[Any]()
    log.append(earned(1))
    batch = log.batch()
    successor = engine.another(UUID(int=9))

    def overtaken(self: Applier, connection: Any, work: Any) -> Any:
        if self is engine.writer.applier and not lost:
            lost.append(work)
            engine.connection.execute("update checkpoint set epoch = 2, owner = %s", [UUID(int=9)])
            successor.applier.epochs = dict.fromkeys(successor.applier.epochs, 2)
            list(successor.apply(engine.work(batch, successor)))
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return apply(self, connection, work)

    monkeypatch.setattr(Applier, "apply", overtaken)
    with pytest.raises(Fenced, match="epoch 2"):
        list(engine.writer.apply(engine.work(batch)))
    assert lost
    assert held(engine) == 10
    assert engine.counts()["applied"] == 1
