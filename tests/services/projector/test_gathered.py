"""What waits for Redis: the newest of each row, and never longer than readers can bear."""

from __future__ import annotations

from projections.core import Projection, View, key, total
from projections.core.showing import ViewRow
from services.projector import gathered
from services.projector.apply import Applied
from services.projector.gathered import Gathered, Job

points = Projection("gathering").table(
    "points", profile_id=key("text"), points=total(), view=View(by=("profile_id",))
)


def job(*rows: ViewRow, end: int, behind: bool = True) -> Job:
    applied = Applied({points: list(rows)}, {("commerce.points", 0): end}, None)
    return Job(applied, lambda: None, behind)


def test_the_newest_of_each_row_is_written_once() -> None:
    waiting = Gathered(job(("aki", "", 1, "[10]"), ("ken", "", 4, "[3]"), end=2))
    waiting.add(job(("aki", "", 2, "[25]"), end=3))
    assert sorted(waiting.views[points]) == [("aki", "", 2, "[25]"), ("ken", "", 4, "[3]")]
    assert waiting.positions == {("commerce.points", 0): 3}
    assert waiting.size == 2


def test_batches_wait_only_while_more_is_coming() -> None:
    waiting = Gathered(job(("aki", "", 1, "[10]"), end=1))
    assert 0 < waiting.patience() <= gathered.SECONDS_MAX
    waiting.add(job(("aki", "", 2, "[25]"), end=2, behind=False))
    assert waiting.patience() <= 0


def test_who_is_not_behind_never_waits() -> None:
    assert Gathered(job(("aki", "", 1, "[10]"), end=1, behind=False)).patience() <= 0


def test_so_many_rows_do_not_wait_any_longer() -> None:
    rows = [(f"{number}", "", 1, "[1]") for number in range(gathered.ROWS_MAX)]
    assert Gathered(job(*rows, end=1)).patience() == 0
