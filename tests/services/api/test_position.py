"""How new is an answer that was made from several sources?"""

from __future__ import annotations

import pytest

from services.http.cursors import Cursors, Malformed
from services.reading.position import AnswerSources, covers

POINTS, MEMBERS = frozenset({"commerce.points"}), frozenset({"commerce.members"})


def test_an_answer_is_only_as_new_as_its_oldest_source() -> None:
    used = AnswerSources()
    used.add(POINTS, {"commerce.points-0": 9, "commerce.members-0": 50}, postgres=False)
    used.add(POINTS, {"commerce.points-0": 7}, postgres=True)
    used.add(MEMBERS, {"commerce.members-0": 4}, postgres=True)
    assert used.position() == {"commerce.members-0": 4, "commerce.points-0": 7}
    assert used.served_from == "postgres"


def test_a_partition_that_one_source_never_saw_stands_at_its_start() -> None:
    used = AnswerSources()
    used.add(POINTS, {"commerce.points-0": 9, "commerce.points-1": 3}, postgres=False)
    used.add(POINTS, {"commerce.points-0": 9}, postgres=False)
    assert used.position() == {"commerce.points-0": 9, "commerce.points-1": 0}


def test_only_topics_that_move_the_rows_must_be_read() -> None:
    wanted = {"commerce.points-0": 5, "commerce.contacts-1": 99}
    assert covers({"commerce.points-0": 5}, wanted, POINTS)
    assert not covers({"commerce.points-0": 4}, wanted, POINTS)


def test_a_cursor_is_read_back_by_its_own_route_alone() -> None:
    cursors = Cursors(b"k" * 32)
    text = cursors.write("/v1/stock", ["茶", "S1"])
    assert cursors.read("/v1/stock", text) == ["茶", "S1"]
    for route, changed in (
        ("/v1/members", text),
        ("/v1/stock", text[:-1] + "A"),
        ("/v1/stock", ""),
    ):
        with pytest.raises(Malformed):
            cursors.read(route, changed)
    with pytest.raises(Malformed):
        Cursors(b"l" * 32).read("/v1/stock", text)
