"""When is a source too old? Judged by what Postgres had applied two seconds ago."""

from __future__ import annotations

from services.reading.age import EVERY_SECONDS, OLD_SECONDS, Checkpoints


def positions(offset: int) -> dict[str, dict[str, int]]:
    return {"main": {"commerce.points-0": offset}}


def test_nothing_is_due_while_nothing_was_seen_for_long_enough() -> None:
    known = Checkpoints()
    assert known.due(100.0) == {}
    known.seen(100.0, positions(7))
    assert known.due(100.1) == {}


def test_what_will_be_too_old_before_the_next_poll_is_due() -> None:
    known = Checkpoints()
    for number in range(20):
        known.seen(100.0 + number * EVERY_SECONDS, positions(number))
    now = 100.0 + 19 * EVERY_SECONDS
    due = known.due(now)["main"]["commerce.points-0"]
    seen_at = 100.0 + due * EVERY_SECONDS
    until = now + EVERY_SECONDS
    assert OLD_SECONDS - EVERY_SECONDS <= until - seen_at <= OLD_SECONDS


def test_the_last_checkpoints_become_due_though_postgres_does_not_answer_any_more() -> None:
    known = Checkpoints()
    known.seen(100.0, positions(7))
    known.seen(100.0 + EVERY_SECONDS, positions(9))
    assert known.due(100.0 + OLD_SECONDS - 2 * EVERY_SECONDS) == positions(7)
    assert known.due(300.0) == positions(9)


def test_however_often_postgres_is_asked_what_is_kept_is_bounded() -> None:
    known = Checkpoints()
    for number in range(10_000):
        known.seen(number / 1_000, positions(number))
    assert known.due(10_000.0) == positions(9_999)
