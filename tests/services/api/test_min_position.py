"""Read your writes: an answer waits for what the caller knows of."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.services.api.conftest import Running
from tests.services.api.shop import CARD, POSITION, named

pytestmark = pytest.mark.servers
POINTS = f"/v1/members/{CARD}/points"


def at(offset: int) -> dict[str, str]:
    return {"min_position": json.dumps({"commerce.points-0": offset})}


def test_what_is_applied_already_is_not_waited_for(api: Running) -> None:
    started = time.monotonic()
    assert api.answer(POINTS, params=at(120))["position"]["commerce.points-0"] == 120
    assert api.answer(POINTS, params={"min_position": f"event:{named('applied')}"})
    assert api.answer(POINTS, params={"min_position": f"event:{named('told again')}"})
    assert api.answer(POINTS, headers={"Min-Position": at(1)["min_position"]})
    assert time.monotonic() - started < 4.5, "it waits for five seconds otherwise"


def test_an_event_among_the_dead_letters_is_not_waited_for(api: Running) -> None:
    assert api.answer(POINTS, params={"min_position": f"event:{named('decode')}"})


def test_what_moves_nothing_in_the_answer_is_not_waited_for(api: Running) -> None:
    contacts = {"min_position": json.dumps({"commerce.contacts-0": 10**9})}
    assert api.answer(POINTS, params=contacts)


def test_what_never_comes_ends_in_a_timeout_after_five_seconds(api: Running) -> None:
    with ThreadPoolExecutor() as at_once:
        started = time.monotonic()
        late = list(at_once.map(lambda params: api.ask(POINTS, params=params), (
            at(10**9), {"min_position": f"event:{named('lost')}"},
        )))  # fmt: skip
    assert [got.status_code for got in late] == [504, 504]
    assert all(got.headers["content-type"] == "application/problem+json" for got in late)
    assert 4.5 < time.monotonic() - started < 8


def test_the_answer_comes_as_soon_as_postgres_has_it_though_redis_is_behind(api: Running) -> None:
    api.until(POINTS, "redis")

    def advance() -> None:
        api.shop.execute("update point_entry set points = points + 7 where profile_id = %s", CARD)
        move = (
            "update checkpoint set next_offset = next_offset + %s, applied = applied + %s"
            " where topic = 'commerce.points'"
        )
        api.shop.execute(move, 1, 1)

    try:
        threading.Timer(0.3, advance).start()
        found = api.answer(POINTS, params=at(121))
        assert found["data"]["balance"] == 352
        assert found["served_from"] == "postgres"
        assert found["position"]["commerce.points-0"] == 121
        assert api.answer(POINTS)["position"]["commerce.points-0"] == 120
        api.shop.copy_to_redis(position={**POSITION, "commerce.points-0": 121})
        caught_up = api.answer(POINTS, params=at(121))
        assert (caught_up["served_from"], caught_up["data"]["balance"]) == ("redis", 352)
    finally:
        api.shop.execute("update point_entry set points = 300 where profile_id = %s", CARD)
        api.shop.execute(
            "update checkpoint set next_offset = 120, applied = 120 where topic = 'commerce.points'"
        )
        api.shop.copy_to_redis()
