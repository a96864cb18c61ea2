"""Who is a member, why, and what keeps two apart? Facts folded into the API's own Postgres."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from projections import discover
from projections.core.fold import Folded, Group
from schemas.generated.events import (
    Event,
    LinkDeclined,
    MatchRulesActivated,
    ProfileRegistered,
    ProfilesLinked,
)
from schemas.generated.events.parts import Identifier
from services.projector.store import Store
from services.runtime.db import conninfo
from tests.projections.saying import T0, identifier, meta, named
from tests.services.api.conftest import Running
from tests.services.api.shop import GENERATION

pytestmark = pytest.mark.servers
GROUP = Group("main", discover())
DAYS = 24 * 60
OTHER = "00000000-0000-4000-8000-000000000002"
RULES = {
    "identifiers": {
        "card": {"class": "unique"}, "account": {"class": "unique"},
        "email": {"class": "strong", "blocked": [named("email nobody").hex()]},
        "phone": {"class": "strong", "limit": 3}, "visit": {"class": "strong", "limit": 1,
        "window_days": 2}, "sns": {"class": "weak"},
    },
    "survivorship": {"sources": ["crm", "pos"], "fields": {"address": {"order": ["newest"]}}},
}  # fmt: skip


def enrolled(
    who: str, *identifiers: Identifier, day: int = 0, source: str = "pos", **given: bytes
) -> ProfileRegistered:
    return ProfileRegistered(
        meta=meta(minute=day * DAYS),
        profile_id=named(who),
        source_system=source,
        registered_at=T0 + day,
        identifiers=list(identifiers),
        **given,
    )


def seen(kind: str, value: str, verified: bool = True) -> Identifier:
    return identifier(kind, value, verified)


def linked(link: str, one: str, other: str, minute: int = 0, **told: Any) -> ProfilesLinked:
    told = {"decided_by": "PERSON"} | told
    return ProfilesLinked(
        meta=meta(minute=minute),
        link_id=named(link),
        profile_id=named(one),
        other_profile_id=named(other),
        **told,
    )


def people() -> list[Event]:
    """Some people of one street."""
    return [
        MatchRulesActivated(
            meta=meta(), rule_set="identity", version="9", rules=json.dumps(RULES), valid_from=T0
        ),
        # one person: card, account by e-mail, a caller by rules, a guest by staff
        enrolled(
            "aki's card",
            seen("card", "1"),
            seen("email", "aki"),
            source="pos",
            name=b"x",
            postcode=b"x",
            address=b"x",
        ),
        enrolled(
            "aki's account",
            seen("account", "1"),
            seen("email", "aki"),
            day=3,
            source="crm",
            name=b"x",
            name_kana=b"x",
            birth_date=b"x",
        ),
        enrolled("aki calls", seen("email", "none", False), day=2, source="cti", address=b"x"),
        enrolled("aki the guest", day=5),
        linked(
            "l1",
            "aki's account",
            "aki calls",
            minute=7,
            decided_by="RULE",
            rule_version="9",
            evidence=["name: same"],
            weight=19.5,
        ),
        linked("l2", "aki calls", "aki the guest", minute=8, actor="suzuki"),
        # somebody whom staff found under more ids than a row holds
        *(enrolled(f"many {number}", day=number) for number in range(17)),
        *(linked(f"m{number}", "many 0", f"many {number}") for number in range(1, 17)),
    ]


def neighbours() -> list[Event]:
    """A household, others who only look alike, and a visit that five clerks made."""
    office = seen("phone", "office")
    return [
        # a household: one phone, two cards
        enrolled("ken", seen("card", "2"), seen("phone", "home")),
        enrolled("yui", seen("card", "3"), seen("phone", "home")),
        # others who only look alike
        enrolled("rio", seen("email", "none"), seen("email", "nobody"), seen("sns", "s")),
        enrolled("mei", seen("email", "nobody"), seen("sns", "s")),
        LinkDeclined(
            meta=meta(minute=9),
            profile_id=named("rio"),
            other_profile_id=named("mei"),
            decided_by="PERSON",
            actor="sato",
        ),
        linked("l3", "rio", "mei", decided_by="RULE", rule_version="8"),
        *(
            enrolled(
                f"clerk {number}",
                office,
                seen("visit", "v"),
                *([seen("email", "desk")] if number < 2 else []),
                day=number,
            )
            for number in range(5)
        ),
    ]


@pytest.fixture(scope="module")
def street(api: Running) -> Iterator[Running]:
    """The people of the street, beside the shop's own; gone when this file is done."""
    tables = [table for table in GROUP.tables if table.projection == "member"]
    with psycopg.connect(conninfo(api.endpoints.postgres), autocommit=True) as connection:
        before = {
            table.name: connection.execute(f"select * from {table.name}".encode()).fetchall()
            for table in tables
        }
        folded = Folded()
        for event in [*people(), *neighbours()]:
            GROUP.take(event, event.meta.event_id, 0, folded)
        with connection.transaction():
            Store(GROUP, views=False).write(connection, folded)
        _anew(api, OTHER)
        yield api
        for table in tables:
            connection.execute(f"delete from {table.name}".encode())
            for row in before[table.name]:
                places = ", ".join(["%s"] * len(row))
                connection.execute(
                    f"insert into {table.name} values ({places})".encode(), list(row)
                )
    _anew(api, GENERATION)


def _anew(api: Running, generation: str) -> None:
    """No projector moved a checkpoint, so readers are told that their rows are of another life."""
    api.shop.execute("update cache_generation set generation = %s", generation)
    api.shop.copy_to_redis(generation=generation)
    api.until("/v1/stock/tv", "redis")


def of(who: str) -> str:
    return str(UUID(bytes=named(who)))


def why(street: Running, one: str, other: str) -> dict[str, Any]:
    found: dict[str, Any] = street.answer(f"/v1/members/{of(one)}/why?other={of(other)}")["data"]
    return found


def test_any_profile_leads_to_the_member_and_says_so(street: Running) -> None:
    for who in ("aki's account", "aki calls", "aki the guest"):
        found = street.answer(f"/v1/members/{of(who)}")["data"]
        assert found["member_id"] == of("aki's card")
        assert found["redirected_from"] == of(who)
        assert len(found["profile_ids"]) == 4


def test_a_member_of_very_many_profiles_is_whole_from_each_of_them(street: Running) -> None:
    whole = [of(f"many {number}") for number in range(17)]
    for who in ("many 0", "many 16"):
        found = street.answer(f"/v1/members/{of(who)}")["data"]
        assert (found["member_id"], found["profile_ids"]) == (whole[0], whole)


def test_each_field_says_whose_it_is_and_why(street: Running) -> None:
    found = street.answer(f"/v1/members/{of('aki calls')}")["data"]["record"]
    said = {one["field"]: (one["profile_id"], one["because"]) for one in found}
    assert said == {
        "name": (of("aki's account"), "source"),
        "name_kana": (of("aki's account"), "only"),
        "postcode": (of("aki's card"), "only"),
        "address": (of("aki calls"), "newest"),
        "birth_date": (of("aki's account"), "only"),
        "email": (of("aki's account"), "source"),
    }
    assert all(one["value"] is None for one in found), "nobody's keys are known here"


def test_a_path_says_what_each_step_rests_on(street: Running) -> None:
    found = why(street, "aki's card", "aki the guest")
    assert found["one_member"]
    assert found["against"] == []
    assert [(one["profile_id"], one["by"]) for one in found["path"]] == [
        (of("aki's card"), "strong"), (of("aki's account"), "rule"), (of("aki calls"), "person"),
    ]  # fmt: skip
    strong, rule, person = found["path"]
    assert (strong["kind"], strong["value"]) == ("email", None)
    assert strong["first_seen"] < strong["other_first_seen"]
    assert (rule["weight"], rule["evidence"], rule["rule_version"]) == (19.5, ["name: same"], "9")
    assert (person["actor"], person["decided_at"] is None) == ("suzuki", False)


def test_a_household_is_not_one_and_the_two_cards_are_why(street: Running) -> None:
    found = why(street, "ken", "yui")
    assert not found["one_member"]
    assert [(one["by"], one["kind"]) for one in found["path"]] == [("strong", "phone")]
    assert [(one["reason"], one["kind"], one["profile_ids"]) for one in found["against"]] == [
        ("unique_conflict", "card", [of(who)])
        for who in sorted(("ken", "yui"), key=lambda who: named(f"card {2 + (who == 'yui')}"))
    ]
    assert street.answer(f"/v1/members/{of('ken')}")["data"]["profile_ids"] == [of("ken")]


def test_what_does_not_count_is_named(street: Running) -> None:
    found = why(street, "rio", "mei")
    assert found["path"] == []
    by_reason = {one["reason"]: one for one in found["against"]}
    assert by_reason.keys() == {"person", "quarantined", "weak", "other_rules"}
    assert by_reason["person"]["actor"] == "sato"
    assert (by_reason["quarantined"]["kind"], by_reason["quarantined"]["quarantine"]) == (
        "email", "blocked",
    )  # fmt: skip
    unverified = why(street, "rio", "aki calls")["against"]
    assert [(one["reason"], one["profile_ids"]) for one in unverified] == [
        ("unverified", [of("aki calls")])
    ]
    assert street.ask(f"/v1/members/{of('x')}/why?other={of('rio')}").status_code == 404


def test_a_crowded_identifier_is_no_reason(street: Running) -> None:
    against = why(street, "clerk 0", "clerk 4")["against"]
    assert {(one["kind"], one["quarantine"]) for one in against} == {
        ("phone", "limit"), ("visit", "window"),
    }  # fmt: skip


def test_quarantined_identifiers_are_listed_with_whom_they_were_seen_on(street: Running) -> None:
    whole = street.answer("/v1/identity/quarantined")["data"]
    listed = {(one["kind"], one["reason"]): one for one in whole}
    assert listed.keys() == {("email", "blocked"), ("phone", "limit"), ("visit", "window")}
    phone = listed["phone", "limit"]
    assert phone["value_index"] == named("phone office").hex()
    assert phone["profiles"] == 5
    assert [one["profile_id"] for one in phone["holders"]] == [
        of(f"clerk {number}") for number in range(5)
    ]
    together = [one["still_together"] for one in phone["holders"]]
    assert together == [True, True, False, False, False]
    paged, path = [], "/v1/identity/quarantined?limit=1"
    while path:
        answer = street.ask(path)
        paged += answer.json()["data"]
        path = answer.links.get("next", {}).get("url", "")
    assert paged == whole
