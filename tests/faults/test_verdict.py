"""Every comparison can fail: what is wrong is counted, and a run with nothing compared is bad."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults import planted
from tests.faults.chaos import KILLS, REFUSED_FULL, planned
from tests.faults.progress import Fault, Progress, Recovery
from tests.faults.reading import Judged, Read
from tests.faults.scene import Order, Report
from tests.faults.soak import Looked, Sample
from tests.faults.verdict import Line, compared, in_time, in_topics, same_rows

TOPIC, ID = "commerce.points", b"0123456789abcdef"


def test_a_row_that_is_missing_surplus_or_there_twice_is_a_difference() -> None:
    right = Counter([("a", 1), ("b", 2)])
    assert same_rows("t", right, right.copy()).differences == 0
    for wrong in ([("a", 1)], [("a", 1), ("b", 3)], [("a", 1), ("b", 2), ("b", 2)], []):
        assert compared("t", right, Counter(wrong)).differences == 1 + (not wrong)
        assert same_rows("t", right, Counter(wrong)).differences > 0


def test_rows_that_are_equal_and_not_the_same_bytes_differ() -> None:
    assert same_rows("t", Counter([("a", 1)]), Counter([("a", True)])).differences == 1


def test_an_accepted_event_that_is_not_in_its_topic_is_missed() -> None:
    record = {"meta": {"event_id": ID}}
    judged = Judged(applied=[(Read(TOPIC, 0, 0, None, None), "PointsEarned", record)])
    assert in_topics({ID: TOPIC}, judged).differences == 0
    assert in_topics({ID: "commerce.purchases"}, judged).differences == 1
    assert in_topics({ID[::-1]: TOPIC}, judged).differences == 1


def test_a_fault_after_which_nothing_goes_on_is_late() -> None:
    assert in_time([Recovery("a", 29.9)]).differences == 0
    assert in_time([Recovery("a", 30.1), Recovery("b", float("inf"))]).differences == 2


def test_recovery_counts_from_the_end_of_the_last_fault_to_the_last_partition() -> None:
    progress = Progress("", "")
    progress.ends = [(0.0, {(TOPIC, 0): 10, (TOPIC, 1): 10})]
    progress.positions = [
        (at, {(TOPIC, 0): first, (TOPIC, 1): second})
        for at, first, second in ((0.0, 5, 5), (11.0, 9, 5), (16.0, 10, 9))
    ]
    progress.faults = [Fault("one", 1.0, 10.0)]
    assert progress.recoveries() == [Recovery("one", 6.0)]
    progress.faults.append(Fault("two", 11.5, 12.0))
    assert progress.recoveries() == [Recovery("one", 4.0), Recovery("two", 4.0)]
    progress.positions.pop()
    assert progress.recoveries()[0].seconds == float("inf")


def test_memory_or_descriptors_that_grow_are_seen() -> None:
    steady = [Sample(at / 10, 200.0 + at % 3, 60, 500_000 + at % 7 * 90_000) for at in range(100)]
    growing = [
        Sample(at / 10, 200.0 + 0.2 * at, 60 + at // 5, one.blocks + 1_000 * at)
        for at, one in enumerate(steady)
    ]
    flat, leaking = Looked(1, steady), Looked(1, growing)
    assert abs(flat.slope(3.0)) < 1 and flat.descriptors(3.0) == 0 and abs(flat.growth(3.0)) < 1
    assert leaking.slope(3.0) == pytest.approx(2.0) and leaking.descriptors(3.0) > 5
    assert leaking.growth(3.0) == pytest.approx(1.9, abs=0.2)


def test_a_report_is_good_only_for_the_right_reason() -> None:
    right, wrong = Line("t", 5, 0), Line("t", 5, 1)
    assert Report("r", 1, 1, lines=[right]).good
    for lines in ([], [wrong], [Line("t", 0, 0)]):
        assert not Report("r", 1, 1, lines=lines).good
    assert Report("r", 1, 1, lines=[wrong], planted=True).good
    assert not Report("r", 1, 1, lines=[right], planted=True).good


def test_the_full_chaos_holds_what_it_is_asked_for_and_a_small_one_some_of_each() -> None:
    full = Counter((act.what, act.whom) for act in planned(Order(1_000_000, 3)))
    assert {whom: full["SIGKILL", whom] for whom in KILLS} == KILLS
    assert sum(many for (what, _), many in full.items() if what == "SIGSTOP") == 4
    assert {act.whom for act in planned(Order(40_000, 3))} >= set(KILLS)
    refused = Counter(act.whom for act in planned(Order(REFUSED_FULL, 3), REFUSED_FULL))
    assert refused["projector"] >= KILLS["projector"]


def test_a_bug_that_has_no_place_any_more_ends_the_process_loudly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes: list[int] = []

    def left(code: int) -> None:
        codes.append(code)
        raise SystemExit(code)

    monkeypatch.setattr("tests.faults.planted.os._exit", left)
    with pytest.raises(SystemExit):
        planted.put(Looked, "not_there", lambda was: was)
    assert codes == [planted.GONE]
    assert "not_there is gone" in capsys.readouterr().err
