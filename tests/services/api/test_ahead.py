"""Is what comes ahead with a member used only where it is theirs?"""

from __future__ import annotations

from uuid import uuid4

import pytest
from redis import Redis

from tests.services.api.conftest import Running
from tests.services.api.shop import ACCOUNT, ALONE, CARD, same

pytestmark = pytest.mark.servers


def _transactions(api: Running) -> int:
    with Redis.from_url(api.endpoints.redis) as client:
        return int(client.info("commandstats")["cmdstat_multi"]["calls"])


@pytest.mark.parametrize("whose", [CARD, ACCOUNT, ALONE, uuid4()])
def test_a_balance_is_the_same_whatever_came_ahead(api: Running, whose: object) -> None:
    path = f"/v1/members/{whose}/points"
    if api.ask(path).status_code == 404:
        assert api.ask(path, headers={"Cache-Control": "no-cache"}).status_code == 404
        return
    hot = api.until(path, "redis")
    assert same(hot, api.answer(path, headers={"Cache-Control": "no-cache"}))


def test_a_member_of_one_profile_is_read_in_one_round_trip(api: Running) -> None:
    path = f"/v1/members/{ALONE}/points"
    api.until(path, "redis")
    before = _transactions(api)
    for _ in range(100):
        api.answer(path)
    # the API looks at the position once a second, too
    assert _transactions(api) - before < 150
