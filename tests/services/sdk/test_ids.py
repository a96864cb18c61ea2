"""Do ids stay the same where they must, and differ where they must?"""

from __future__ import annotations

from uuid import UUID

from services.sdk import event_id_for, profile_id, uuid7


def test_a_customer_has_one_profile_per_system() -> None:
    assert profile_id("pos", 42) == profile_id("pos", "42")
    assert profile_id("pos", 42) != profile_id("ec", 42)
    assert UUID(profile_id("pos", 42)).version == 5


def test_parts_never_run_into_each_other() -> None:
    assert profile_id("pos1", "2") != profile_id("pos", "12")
    assert event_id_for("p", "1", "11", 0, 1, "k") != event_id_for("p", "11", "1", 0, 1, "k")


def test_a_receipt_gives_each_of_its_events_an_id_of_its_own() -> None:
    sale = event_id_for("pos", "S1", "T1", 0, 7, "sale")
    assert sale == event_id_for("pos", "S1", "T1", 0, 7, "sale")
    assert sale != event_id_for("pos", "S1", "T1", 0, 7, "points")
    assert sale != event_id_for("pos", "S1", "T1", 1, 7, "sale")


def test_new_ids_are_unique_and_sort_by_time() -> None:
    made = [uuid7() for _ in range(10_000)]
    assert len(set(made)) == len(made)
    assert made[0][:13] <= made[-1][:13]
    assert {UUID(each).version for each in made} == {7}
    assert {UUID(each).variant for each in made} == {UUID(profile_id("a", "b")).variant}
