"""One kind of fault at a time: owners swapped, answers lost, Redis dead, the broker dead early."""

from __future__ import annotations

import pytest

from tests.faults.test_chaos import shown

pytestmark = [
    pytest.mark.servers,
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("broken_off"),
]


@pytest.mark.long
def test_an_owner_who_was_replaced_writes_nothing() -> None:
    assert shown("swaps", 3, 7).good


def test_a_lost_answer_to_commit_changes_nothing() -> None:
    assert shown("commits", 30, 13).good


@pytest.mark.long
def test_readers_do_not_see_the_past_when_redis_dies() -> None:
    assert shown("cache", 3, 9).good


@pytest.mark.long
def test_a_broker_that_dies_just_after_the_start_is_found_again() -> None:
    assert shown("starting", 1, 10).good
