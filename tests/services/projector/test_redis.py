"""Redis follows Postgres: never back in time, never believed when it forgot, always made good."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from threading import Event
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisAway

from infra.backend import Endpoints
from projections.core import sql
from projections.core.redis_rows import hash_key
from projections.member import group
from projections.member import projection as member
from projections.point_balance import entry
from projections.point_balance import projection as entries
from projections.shared_stock import cell
from projections.shared_stock import projection as stock
from services.projector.redis_views import GenerationLost, ViewWriter, generation_key
from services.projector.refresh import Job, Refresher
from tests.projections.crowd import activated, crowd
from tests.projections.driving import OWNER, Engine, Log
from tests.services.projector.facts import CUSTOMER, earned, received

pytestmark = pytest.mark.servers
KEY, FIELD = hash_key(cell, stock.version, "tea"), "GINZA"


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


class Shown:
    """Redis behind one engine; `away` makes every command fail as if nobody listened."""

    def __init__(self, engine: Engine, url: str, owner: UUID = OWNER) -> None:
        self.engine, self.redis = engine, Redis.from_url(url)
        self.away = False
        self.views = ViewWriter(self._guarded(url), engine.group)
        struck = engine.writer.applier.written.append
        self.refresher = Refresher(self.views, engine.dsn, owner, struck)
        self.seen = 0

    def _guarded(self, url: str) -> Redis:
        client = Redis.from_url(url)
        execute: Callable[..., Any] = client.execute_command

        def guarded(*arguments: Any, **options: Any) -> Any:
            if self.away:
                raise RedisAway("nobody listens")
            return execute(*arguments, **options)

        client.execute_command = guarded  # type: ignore[method-assign]
        return client

    def tell(self, *events: Any, log: Log) -> None:
        """Commits a batch and hands its rows over."""
        for event in events:
            log.append(event)
        for applied in self.engine.apply(log.batch()):
            self.refresher.take(Job(applied, self._visible))

    def _visible(self) -> None:
        self.seen += 1

    def value(self) -> str:
        found = self.redis.hget(KEY, FIELD)
        return found.decode() if isinstance(found, bytes) else ""

    def right(self) -> bool:
        """Redis says what Postgres says."""
        row = self.engine.connection.execute(
            f"select row_version || '|' || {sql.payload(cell)} from stock_cell t".encode()
        ).fetchone()
        return self.value() == (row[0] if row else "")

    def pending(self) -> int:
        row = self.engine.connection.execute("select count(*) from redis_pending").fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        self.away = False
        if self.refresher._thread.is_alive():
            self.refresher.stop()
        self.refresher._close()
        self.views.redis.close()
        self.redis.close()


def apart(servers: Endpoints) -> str:
    """A database of Redis that no other test uses."""
    return servers.redis.rpartition("/")[0] + "/7"


@pytest.fixture
def shown(engine: Engine, servers: Endpoints) -> Iterator[Shown]:
    own = Shown(engine, apart(servers))
    own.redis.flushdb()
    yield own
    own.close()


def test_rows_are_shown_once_they_are_committed(shown: Shown) -> None:
    log = Log()
    shown.refresher.start()
    shown.tell(received(1, 10), log=log)
    until(lambda: "10" in shown.value() and shown.right())
    shown.tell(received(2, 10), received(3, 10), log=log)
    until(shown.right)
    assert '"tea", "GINZA", 30' in shown.value()


def test_what_is_written_is_struck_out_by_the_next_batch_however_many_there_are(
    shown: Shown,
) -> None:
    log = Log()
    shown.refresher.start()
    # a batch handed over before would carry no generation, and be left to the repair
    until(lambda: shown.refresher.settled)
    for number in range(1, 12):
        shown.tell(received(number, 10), log=log)
        until(lambda number=number: shown.seen == number)  # type: ignore[misc]
    assert shown.right()
    assert shown.pending() <= 2, "what is shown already would be read back again and again"
    assert len(shown.engine.writer.applier.written) <= 2


def test_whoever_is_in_the_middle_of_a_refill_is_not_settled(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    filling, go_on = Event(), Event()
    advance = shown.views.advance

    def held_up(positions: Mapping[tuple[str, int], int]) -> None:
        filling.set()
        assert go_on.wait(20)
        advance(positions)

    monkeypatch.setattr(shown.views, "advance", held_up)
    shown.refresher.start()
    assert filling.wait(20)
    assert not shown.refresher._owed.is_set(), "it is taken up"
    assert not shown.refresher.settled, "and not made good"
    go_on.set()
    until(lambda: shown.refresher.settled)
    assert shown.redis.get(generation_key("main")) == shown.refresher._generation.encode()


def test_rows_that_were_too_many_to_hold_are_read_back(shown: Shown) -> None:
    crowd(shown.engine, 3_500)
    log = Log()
    shown.refresher.start()
    until(lambda: shown.refresher.settled)
    shown.tell(activated("1", phone={"class": "strong"}), log=log)
    until(lambda: shown.seen == 1)
    rows = shown.engine.connection.execute(sql.view_rows(group, some=False).encode()).fetchall()
    assert sum(version > 1 for _, _, version, _ in rows) > 3_000
    for by, field, version, payload in rows:
        held = shown.redis.hget(hash_key(group, member.version, by), field)
        assert held == f"{version}|{payload}".encode()
    assert shown.pending() == 4
    shown.tell(received(1, 10), log=log)
    assert shown.pending() == 1, "what is shown is struck out"


def test_what_waits_is_bounded_and_what_is_turned_away_is_made_good(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.projector.refresh.WAITING_ROWS_MAX", 3)
    log = Log()
    for number in range(1, 10):
        shown.tell(received(number, 10), log=log)
    assert shown.refresher._jobs.qsize() == 3
    shown.refresher.start()
    until(lambda: shown.refresher.settled and shown.right())
    shown.tell(received(10, 10), log=log)
    until(lambda: shown.seen == 1 and shown.right())


def test_a_repair_holds_few_notes_at_once(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.projector.refresh.REPAIRED_BYTES", 100)
    again: list[int] = []
    show = shown.refresher._show_again

    def seen(connection: Any, noted: list[bytes]) -> None:
        again.append(len(noted))
        show(connection, noted)

    monkeypatch.setattr(shown.refresher, "_show_again", seen)
    log = Log()
    for number in range(1, 10):
        shown.tell(received(number, 10), log=log)
    shown.refresher.start()
    until(lambda: shown.refresher.settled and not shown.pending())
    assert shown.right()
    assert max(again) < sum(again) == 9


def test_a_late_writer_never_overwrites_a_newer_row(shown: Shown) -> None:
    shown.redis.set(generation_key("main"), "g")
    for version, payload in ((5, "[5]"), (3, "[3]"), (5, "[other]"), (10, "[10]"), (9, "[9]")):
        shown.views.write({cell: [("tea", FIELD, version, payload)]}, "g")
    assert shown.value() == "10|[10]"


def test_a_writer_of_another_generation_is_refused(shown: Shown) -> None:
    shown.redis.set(generation_key("main"), "new")
    with pytest.raises(GenerationLost):
        shown.views.write({cell: [("x", "", 1, "[]")]}, "old")
    assert not shown.redis.exists(hash_key(cell, stock.version, "x"))


def test_an_emptied_redis_is_filled_again(shown: Shown) -> None:
    log = Log()
    shown.refresher.start()
    shown.tell(received(1, 10), log=log)
    until(lambda: shown.value() != "" and shown.right())
    before = shown.redis.get(generation_key("main"))
    shown.redis.flushdb()
    until(lambda: shown.value() != "" and shown.right())
    until(lambda: shown.redis.get(generation_key("main")) not in (None, before))


def test_entries_are_fields_of_one_hash_also_when_it_is_filled_again(shown: Shown) -> None:
    log, key = Log(), hash_key(entry, entries.version, str(UUID(bytes=CUSTOMER)))
    shown.refresher.start()
    shown.tell(earned(1), log=log)
    shown.tell(earned(2), earned(1), log=log)
    stored = dict(
        shown.engine.connection.execute(
            f"select event_id || '|' || number, '1|' || {sql.payload(entry)}"
            " from point_entry t".encode()
        ).fetchall()
    )
    assert len(stored) == 2

    def same() -> bool:
        return _texts(shown.redis.hgetall(key)) == stored

    until(same)
    shown.redis.flushdb()
    until(same)


def _texts(fields: Any) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}


def test_rows_of_a_process_that_died_before_it_wrote_them_are_repaired(
    shown: Shown, engine: Engine, servers: Endpoints
) -> None:
    log = Log()
    log.append(received(1, 10))
    engine.apply(log.batch())  # committed, and then the process is no more
    assert shown.pending() == 1
    heir = Shown(engine, apart(servers), uuid4())
    try:
        heir.refresher.start()
        until(lambda: shown.value() != "" and shown.right())
        until(lambda: shown.pending() == 0)
    finally:
        heir.close()


def test_while_redis_is_away_rows_wait_and_are_made_good_when_it_is_back(shown: Shown) -> None:
    log = Log()
    shown.refresher.start()
    shown.tell(received(1, 10), log=log)
    until(lambda: shown.value() != "" and shown.right())
    shown.away = True
    for number in range(2, 8):
        shown.tell(received(number, 10), log=log)
    time.sleep(0.5)
    assert shown.engine.rows(cell)["tea", "GINZA"]["on_hand"] == 70
    assert not shown.right()
    assert shown.pending() >= 6
    shown.away = False
    until(shown.right)
    until(lambda: shown.pending() == 0)


def test_positions_in_redis_never_go_back(shown: Shown) -> None:
    for end in (5, 3, 12, 9):
        shown.views.advance({("commerce.points", 1): end})
    assert shown.redis.hget("hitotsu:position:main", "commerce.points-1") == b"12"
