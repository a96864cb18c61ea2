"""Is a page of the review queue full while there are entries, and does it have no others?"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from projections.member.edges import quarantined
from projections.member.rules import DAY, DEFAULT, IdentifierRule, active
from services.identity.review.queue import listed
from tests.services.rebuild.road import Road, road

pytestmark = pytest.mark.servers
T0 = 1_775_000_000_000_000
Value = tuple[str, UUID]
BLOCKED, OF_ANOTHER_KIND = ("email", UUID(int=1)), ("phone", UUID(int=1))
OVER_YEARS, WITHIN_A_WEEK, TOO_MANY = (("phone", UUID(int=number)) for number in (2, 3, 4))
RULES = {
    **DEFAULT.identifiers,
    "account": IdentifierRule(class_="unique", limit=3, window_days=5),
    "email": IdentifierRule(class_="strong", blocked=(BLOCKED[1].hex,)),
    "phone": IdentifierRule(class_="strong", limit=10, window_days=30),
}
TEXT = json.dumps({kind: rule.model_dump(by_alias=True) for kind, rule in RULES.items()})
IDENTIFIER = """
insert into identifier (profile_id, kind, value_index, field, verified, seen_at, first_seen,
    row_version)
select id, %s, %s, 'value', true, at, at, 1
from unnest(%s::uuid[], %s::bigint[]) as x(id, at)
"""
RULE = """
insert into match_rules (rule_set, version, valid_from, identifiers, row_version)
values ('identity', 'one', 1, %s, 1)
"""


def drawn() -> dict[Value, list[int]]:
    """Accounts on about as many profiles, in about as many days, as the rule allows."""
    draw = random.Random(17)
    return {
        ("account", UUID(int=number)): [
            T0 + draw.randrange(0, 21) * DAY // 2 for _ in range(draw.randrange(2, 7))
        ]
        for number in range(60)
    }


SEEN = drawn() | {
    BLOCKED: [T0],
    OF_ANOTHER_KIND: [T0],
    OVER_YEARS: [T0 + number * 200 * DAY for number in range(11)],
    WITHIN_A_WEEK: [T0 + number * DAY // 2 for number in range(11)],
    TOO_MANY: [T0 + number * 40 * DAY for number in range(201)],
}


def in_quarantine() -> list[tuple[Value, str]]:
    """The values that connect no profiles, as the grouping judges them."""
    kinds = active([(1, "one", TEXT)]).kinds
    judged = ((one, quarantined(kinds[one[0]], one[1].bytes, SEEN[one])) for one in sorted(SEEN))
    return [(one, why) for one, why in judged if why is not None]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    """Tables with these values, without a process that works on them."""
    with road(tmp_path_factory.mktemp("queue")) as made:
        for (kind, value), times in SEEN.items():
            made.sql(IDENTIFIER, kind, value, [uuid4() for _ in times], times)
        made.sql(RULE, TEXT)
        yield made


def entries(place: Road, limit: int) -> list[tuple[Value, str]]:
    found = asyncio.run(listed(place.settings, "open", limit))
    return [((one["identifier"], one["case_id"]), one["why"]) for one in found]


def test_a_short_list_has_the_first_entries(place: Road) -> None:
    whole = in_quarantine()
    assert whole[-3:] == [(BLOCKED, "blocked"), (WITHIN_A_WEEK, "window"), (TOO_MANY, "limit")]
    assert 10 < len(whole) < 50
    for limit in (1, 2, 7, len(whole), 1_000):
        assert entries(place, limit) == whole[:limit]


def test_a_value_that_is_none_to_decide_hides_no_other(place: Road) -> None:
    place.sql("delete from identifier where kind <> 'phone'")
    assert entries(place, 1) == [(WITHIN_A_WEEK, "window")]
