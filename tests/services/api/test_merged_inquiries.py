"""Does every read show merged inquiries as one, whatever staff merged into what?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest

from projections.inquiry_history.conversations import head_of
from tests.services.api.conftest import Running
from tests.services.api.shop import ACCOUNT, ALONE, AT, CARD, put

pytestmark = pytest.mark.servers
TOPIC = "merged"
MANY = 12
Merges = dict[UUID, tuple[int, UUID]]


def _drawn(seed: int) -> tuple[list[UUID], Merges]:
    """Inquiries, of which most are merged into another: chains, trees and a circle of three."""
    chance = random.Random(seed)
    asked = sorted(uuid4() for _ in range(MANY))
    first, *others = chance.sample(asked, MANY)
    merges = {
        one: (AT + chance.randrange(5), other)
        for one in others
        if (other := chance.choice(asked)) != one and chance.random() < 0.7
    }
    circle = [first, *others[:2]]
    for one, other in zip(circle, [*circle[1:], first], strict=True):
        merges[one] = (AT + chance.randrange(2), other)
    return asked, merges


@pytest.fixture(params=range(2))
def merged(api: Running, request: pytest.FixtureRequest) -> Iterator[tuple[list[UUID], Merges]]:
    """Twelve inquiries of two members, taken away again."""
    asked, merges = _drawn(request.param)
    with psycopg.connect(api.endpoints.postgres, autocommit=True) as connection:
        connection.execute("set search_path to main, hitotsu")
        for number, one in enumerate(asked):
            put(
                connection, "inquiry", inquiry_id=one, profile_id=(ACCOUNT, ALONE)[number % 2],
                profile_rank=2 * AT, opened_at=AT - number, topic=TOPIC, topic_rank=2 * AT,
                channel="EC", messages=1, row_version=1,
            )  # fmt: skip
            put(
                connection, "inquiry_message", event_id=one, number=0, inquiry_id=one,
                subject_id=one, occurred_at=AT - number, author="CUSTOMER",
            )  # fmt: skip
        for one, (at, other) in merges.items():
            put(
                connection, "inquiry_merge",
                inquiry_id=one, merged_at=at, into_id=other, row_version=1,
            )  # fmt: skip
        yield asked, merges
        for table in ("inquiry", "inquiry_message", "inquiry_merge"):
            connection.execute(f"delete from {table} where inquiry_id = any(%s)".encode(), [asked])


def _pages(api: Running, path: str) -> list[str]:
    """The ids of all pages of a list, in their order."""
    found, more = list[str](), ""
    while True:
        page = api.answer(path + more)
        found += [one["inquiry_id"] for one in page["data"]]
        if page.get("next_cursor") is None:
            return found
        more = f"&cursor={page['next_cursor']}"


def test_a_conversation_is_listed_counted_and_read_once(
    api: Running, merged: tuple[list[UUID], Merges]
) -> None:
    asked, merges = merged
    heads = {one: head_of(one, merges)[0] for one in asked}
    standing = sorted(map(str, set(heads.values())))
    assert _pages(api, f"/v1/inquiries?topic={TOPIC}&limit=2") == standing
    counts = api.answer("/v1/inquiries/counts?by=topic")["data"]
    assert {"value": TOPIC, "inquiries": len(standing)} in counts
    for one in asked:
        told = api.answer(f"/v1/inquiries/{one}")["data"]
        parts = {str(other) for other in asked if heads[other] == heads[one]}
        assert told["inquiry"]["inquiry_id"] == str(heads[one])
        assert {told["inquiry"]["inquiry_id"], *told["inquiry"]["merged"]} == parts
        assert sorted(said["inquiry_id"] for said in told["conversation"]) == sorted(parts)
        assert told["inquiry"]["messages"] == len(parts)


def test_it_belongs_to_the_member_to_whom_its_head_belongs(
    api: Running, merged: tuple[list[UUID], Merges]
) -> None:
    asked, merges = merged
    heads = {head_of(one, merges)[0] for one in asked}
    for member, first in ((CARD, 0), (ALONE, 1)):
        listed = api.answer(f"/v1/members/{member}/inquiries")["data"]
        mine = {str(one) for one in asked[first::2] if one in heads}
        assert {one["inquiry_id"] for one in listed if one["topic"] == TOPIC} == mine
