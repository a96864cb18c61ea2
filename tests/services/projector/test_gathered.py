"""What waits for Redis: the newest of each row, and never longer than readers can bear."""

from __future__ import annotations

import json

from projections.core import Projection, View, key, total
from projections.core.redis_rows import First, ViewRow
from services.projector import write_behind
from services.projector.apply import CommittedBatch
from services.projector.redis_changes import RedisChanges
from services.projector.write_behind import Gathered, Job

points = Projection("gathering").table(
    "points", profile_id=key("text"), points=total(), view=View(by=("profile_id",))
)


def job(*rows: ViewRow, end: int, behind: bool = True) -> Job:
    applied = CommittedBatch(
        RedisChanges({points: list(rows)}), {("commerce.points", 0): end}, None
    )
    return Job(applied, lambda: None, behind)


def test_the_newest_of_each_row_is_written_once() -> None:
    waiting = Gathered(job(("aki", "", 1, "[10]"), ("ken", "", 4, "[3]"), end=2))
    waiting.add(job(("aki", "", 2, "[25]"), end=3))
    assert sorted(waiting.rows_to_write[points]) == [("aki", "", 2, "[25]"), ("ken", "", 4, "[3]")]
    assert waiting.positions == {("commerce.points", 0): 3}
    assert waiting.size == 2


def test_batches_wait_only_while_more_is_coming() -> None:
    waiting = Gathered(job(("aki", "", 1, "[10]"), end=1))
    assert 0 < waiting.patience() <= write_behind.SECONDS_MAX
    waiting.add(job(("aki", "", 2, "[25]"), end=2, behind=False))
    assert waiting.patience() <= 0


def test_who_is_not_behind_never_waits() -> None:
    assert Gathered(job(("aki", "", 1, "[10]"), end=1, behind=False)).patience() <= 0


def test_so_many_rows_do_not_wait_any_longer() -> None:
    rows = [(f"{number}", "", 1, "[1]") for number in range(write_behind.ROWS_MAX)]
    assert Gathered(job(*rows, end=1)).patience() == 0


def test_rows_of_ledgers_wait_as_they_are_and_count() -> None:
    one, other = job(end=1), job(("aki", "", 2, "[25]"), end=2)
    one.applied.due.first[points] = First([(500, b"a"), (3, b"b")], b"[]")
    other.applied.due.first[points] = First([(write_behind.ROWS_MAX, b"c")], b"[]")
    waiting = Gathered(one)
    assert waiting.size == 503
    waiting.add(other)
    assert waiting.first == [(500, b"a"), (3, b"b"), (write_behind.ROWS_MAX, b"c")]
    assert waiting.patience() == 0


def test_what_is_noted_names_the_hashes_of_each_table() -> None:
    due = RedisChanges()
    assert due.keys() is None
    due.first[points] = First([], b"[]")
    due.told[points] = []
    assert due.keys() is None
    due.first[points] = First([(2, b"...")], '["亜紀", "ken"]'.encode())
    assert json.loads(due.keys() or b"") == {"points": ["亜紀", "ken"]}
    due.tell(points, [("aki", "", 1, "[10]"), ("aki", "x", 2, "[10]"), ("ken", "", 2, "[1]")])
    noted = json.loads(due.keys() or b"")
    assert sorted(noted.pop("points")) == ["aki", "ken", "亜紀"]
    assert not noted
