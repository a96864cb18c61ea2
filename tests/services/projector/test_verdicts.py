"""Every record gets one verdict: applied, duplicate, conflict or dead letter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from infra.backend import Endpoints
from projections.core import Projection, Row, key, total
from projections.core.fold import Group
from projections.inquiry_history import inquiry
from schemas.generated.events import PointsAdjusted
from schemas.wire import codec
from services.projector.batch import BatchWork
from tests.projections.driving import Engine, Log
from tests.services.projector.facts import CUSTOMER, adjusted, asked, earned, received, sale

pytestmark = pytest.mark.servers
COUNTED = ("applied", "duplicate", "conflict", "dead_letter")


def held(engine: Engine) -> int:
    """The customer's points; an entry stored twice would count twice."""
    statement = "select coalesce(sum(points), 0) from point_entry where profile_id = %s"
    row = engine.connection.execute(statement, [UUID(bytes=CUSTOMER)]).fetchone()
    return int(row[0]) if row else 0


def counts(engine: Engine) -> tuple[int, ...]:
    found = engine.counts()
    assert found["next_offset"] == sum(found[name] for name in COUNTED)
    return tuple(found[name] for name in COUNTED)


def letters(engine: Engine) -> list[tuple[str, str, bytes | None, bytes | None]]:
    return engine.connection.execute(
        "select stage, error_class, record_key, record_value from dead_letter order by id"
    ).fetchall()


def test_a_resend_is_applied_once_in_the_same_batch(engine: Engine) -> None:
    engine.tell(earned(1), earned(1), earned(2), earned(1))
    assert held(engine) == 20
    assert counts(engine) == (2, 2, 0, 0)


def test_a_resend_long_after_is_recognised_by_another_process(engine: Engine) -> None:
    log = Log()
    engine.tell(earned(1), log=log)
    engine.writer.recent.clear()
    engine.tell(earned(2), earned(1), log=log)
    assert held(engine) == 20
    assert counts(engine) == (2, 1, 0, 0)


def test_the_first_body_under_an_id_wins_and_the_other_is_kept_aside(engine: Engine) -> None:
    log = Log()
    engine.tell(earned(1, points=10), log=log)
    engine.writer.recent.clear()
    engine.tell(earned(1, points=99), earned(1, points=10), log=log)
    assert held(engine) == 10
    assert counts(engine) == (1, 1, 1, 0)
    ((stage, _, key, value),) = letters(engine)
    assert (stage, key) == ("conflict", CUSTOMER)
    assert value == codec.encode(earned(1, points=99))


def folded(engine: Engine, log: Log, *events: Any) -> BatchWork:
    for event in events:
        log.append(event)
    return engine.work(log.batch())


def test_a_batch_folded_meanwhile_stands_when_the_ledger_says_what_was_said(engine: Engine) -> None:
    log = Log()
    engine.tell(earned(1), log=log)
    engine.writer.recent.clear()
    known = engine.writer.recent.version
    works = [
        folded(engine, log, earned(1), earned(2)),
        folded(engine, log, earned(1), earned(2), earned(3)),
    ]
    for work in works:
        list(engine.writer.apply(work))
    assert held(engine) == 30
    assert counts(engine) == (3, 3, 0, 0)
    assert engine.writer.recent.version == known, "nothing had to be folded again"


def test_a_batch_folded_meanwhile_is_judged_again_when_the_ledger_says_otherwise(
    engine: Engine,
) -> None:
    log = Log()
    engine.tell(earned(1, points=10), log=log)
    engine.writer.recent.clear()
    works = [
        folded(engine, log, earned(1, points=99), earned(2)),
        folded(engine, log, earned(1, points=99), earned(1, points=10), earned(2)),
    ]
    for work in works:
        list(engine.writer.apply(work))
    assert held(engine) == 20
    assert counts(engine) == (2, 2, 2, 0)


def test_a_copy_keeps_the_profile_that_it_names_when_it_is_judged_again(engine: Engine) -> None:
    log = Log()
    engine.tell(earned(1, points=10), log=log)
    engine.writer.recent.clear()
    copies = sale(2), sale(3, CUSTOMER, transaction=2)
    work = folded(engine, log, earned(1, points=99), *copies)
    list(engine.writer.apply(work))
    assert counts(engine) == (2, 1, 1, 0)
    rows = engine.connection.execute("select event_id, subject from duplicate_document")
    assert rows.fetchall() == [(UUID(bytes=copies[1].meta.event_id), UUID(bytes=CUSTOMER))]


def test_what_cannot_be_read_is_put_aside_whole_and_the_batch_goes_on(engine: Engine) -> None:
    good = codec.encode(earned(1))
    broken = [
        None,
        b"",
        b"\0",
        b"\1" + good[1:],
        good[:-1],
        good + b"x",
        b"\0\0\xff\xff\xff" + good,
    ]
    log = Log()
    for value in broken:
        log.raw("commerce.points", CUSTOMER, value)
    log.raw("commerce.points", b"another key", good)
    log.raw("commerce.members", CUSTOMER, good)
    log.append(earned(2))
    engine.apply(log.batch())
    assert held(engine) == 10
    assert counts(engine) == (1, 0, 0, 9)
    found = letters(engine)
    assert {stage for stage, *_ in found} == {"decode"}
    assert sorted(value or b"" for *_, value in found) == sorted(
        [*(value or b"" for value in broken), good, good]
    )


def test_an_event_that_a_handler_refuses_is_applied_nowhere(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(event: object) -> list[object]:
        if getattr(event, "points", 0) == 13:
            raise ValueError("thirteen")
        return []

    monkeypatch.setitem(
        engine.group.handlers,
        type(adjusted(1, 1)),
        [*engine.group.handlers[type(adjusted(1, 1))], ("unlucky", refuse)],
    )
    engine.tell(adjusted(1, 5), adjusted(2, 13), adjusted(3, 5))
    assert held(engine) == 10
    assert counts(engine) == (2, 0, 0, 1)
    assert [(stage, kind) for stage, kind, *_ in letters(engine)] == [("apply", "ValueError")]


def test_a_text_that_postgres_cannot_hold_takes_only_its_own_event_along(engine: Engine) -> None:
    log = Log()
    events = [asked(number, "zero \0 byte" if number == 5 else "delivery") for number in range(12)]
    engine.tell(*events, earned(50), log=log)
    assert len(engine.rows(inquiry)) == 11
    assert held(engine) == 10
    assert counts(engine) == (12, 0, 0, 1)
    ((stage, kind, key, value),) = letters(engine)
    assert (stage, key, value) == ("store", UUID(int=5).bytes, codec.encode(events[5]))
    assert kind


def test_a_text_too_long_for_an_index_takes_only_its_own_event_along(engine: Engine) -> None:
    chance, log = random.Random(1), Log()
    # what compresses well would fit
    text = "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(5_000))
    engine.tell(received(1, 5), received(2, 5, sku=text), received(3, 5), log=log)
    assert counts(engine) == (2, 0, 0, 1)
    ((stage, kind, _, _),) = letters(engine)
    assert (stage, kind) == ("store", "ProgramLimitExceeded")


@pytest.mark.parametrize("timestamp", [2**62, -(2**62), -1, 9 * 10**15])
def test_what_cannot_be_read_is_put_aside_whatever_time_it_says(
    engine: Engine, timestamp: int
) -> None:
    log = Log()
    log.raw("commerce.points", CUSTOMER, b"?").timestamp = timestamp
    engine.apply(log.batch())
    assert counts(engine) == (0, 0, 0, 1)
    ((at,),) = engine.connection.execute("select appended_at from dead_letter").fetchall()
    assert 1970 <= at.year <= 9999


@pytest.mark.parametrize(
    ("name", "kept"), [("a\0b", "a\\x00b"), ("a\ud800b", "a\\ud800b"), ("名", "名"), ("", "")]
)
def test_what_cannot_be_read_is_put_aside_whatever_its_headers_are_called(
    engine: Engine, name: str, kept: str
) -> None:
    log = Log()
    log.raw("commerce.points", CUSTOMER, b"?").headers = [(name, b"value")]
    engine.apply(log.batch())
    assert counts(engine) == (0, 0, 0, 1)
    ((headers,),) = engine.connection.execute("select headers from dead_letter").fetchall()
    assert headers == [[kept, b"value".hex()]]


def test_a_total_beyond_64_bits_is_put_aside_not_clamped(servers: Endpoints) -> None:
    sums = Projection("sums")
    table = sums.table("sums", profile_id=key("uuid"), points=total())

    @sums.on(PointsAdjusted)
    def add(event: PointsAdjusted) -> Iterator[Row]:
        yield table(profile_id=event.profile_id, points=event.points)

    own = Engine(servers, Group("main", [sums]))
    try:
        log, most = Log(), 2**62
        own.tell(adjusted(1, most), adjusted(2, most - 1), log=log)
        own.tell(adjusted(3, most), earned(4), received(5, 1), log=log)
        assert own.rows(table)[(CUSTOMER,)]["points"] == 2 * most - 1
        assert counts(own) == (4, 0, 0, 1)
    finally:
        own.close()


def test_an_absurd_number_of_points_is_kept_as_it_was_said(engine: Engine) -> None:
    most = 2**62
    engine.tell(adjusted(1, most), adjusted(2, most), adjusted(3, most))
    assert held(engine) == 3 * most


def test_a_resend_of_a_dead_letter_is_a_dead_letter_too(engine: Engine) -> None:
    log = Log()
    engine.tell(asked(1, "\0"), asked(1, "\0"), log=log)
    engine.tell(asked(1, "\0"), log=log)
    assert counts(engine) == (0, 0, 0, 3)
    assert not engine.rows(inquiry)


def test_a_batch_of_nothing_but_broken_records_moves_the_checkpoint(engine: Engine) -> None:
    log = Log()
    for _ in range(30):
        log.raw("commerce.points", CUSTOMER, b"?")
    engine.apply(log.batch())
    assert counts(engine) == (0, 0, 0, 30)


def test_a_sale_may_have_the_key_that_its_topic_had_before(engine: Engine) -> None:
    log, sales = Log(), [sale(number, CUSTOMER) for number in range(3)]
    log.append(sales[0])
    log.raw(sales[1].TOPIC, CUSTOMER, codec.encode(sales[1]))
    log.raw(sales[2].TOPIC, b"\x09" * 16, codec.encode(sales[2]))
    engine.apply(log.batch())
    assert counts(engine) == (2, 0, 0, 1)
    ((stage, error, _, _),) = letters(engine)
    assert (stage, error) == ("decode", "WrongKey")
