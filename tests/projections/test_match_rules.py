"""What do rules say, which of them are in force, and what does their arrival change?"""

from __future__ import annotations

import json
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest

from projections.core.memory import Memory
from projections.member import group, rules
from projections.member.rules import DAY, DEFAULT, UnreadableMatchRules, active, part, read_rules
from schemas.generated.events import (
    IdentifierObserved,
    LinkDeclined,
    MatchRulesActivated,
    ProfileRegistered,
    ProfilesLinked,
    ProfilesUnlinked,
)
from schemas.generated.events.parts import Identifier
from services.projector.derivation_process import DerivationFailed, decided_on_all
from tests.projections.crowd import activated, crowd
from tests.projections.driving import Engine, Log
from tests.projections.saying import MINUTE, T0, identifier, meta, named, tell

DAYS = DAY // MINUTE


def enrolled(who: str, *identifiers: Identifier, day: int = 0) -> ProfileRegistered:
    return ProfileRegistered(
        meta=meta(minute=day * DAYS),
        profile_id=named(who),
        source_system="pos",
        registered_at=T0,
        identifiers=list(identifiers),
    )


def found(one: str, other: str, version: str, minute: int = 0) -> ProfilesLinked:
    return ProfilesLinked(
        meta=meta(minute=minute),
        link_id=named(f"{one} {other}"),
        profile_id=named(one),
        other_profile_id=named(other),
        decided_by="RULE",
        rule_version=version,
        evidence=["name: same"],
        weight=21.5,
    )


def members(memory: Memory) -> dict[str, set[str]]:
    """Who is with whom, by the names used in this file."""
    names = {named(one): one for one in "abcdefghijklmnop"}
    sets: dict[bytes, set[str]] = {}
    for (who,), row in memory.table(group).items():
        sets.setdefault(row["member_id"], set()).add(names[who])
    return {one: part for part in sets.values() for one in part}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"identifiers": {"phone": {"class": "strong", "limit": 0}}}', "identifiers.phone.limit"),
        ('{"identifiers": {"phone": {"class": "odd"}}}', "identifiers.phone.class"),
        ('{"identifiers": {"phone": {"limit": 3}}}', "identifiers.phone.class"),
        ('{"identifiers": {"x": {"class": "weak", "blocked": ["q"]}}}', "identifiers.x.blocked.0"),
        ('{"identifiers": {}, "earn": []}', "earn"),
        ('{"identifiers": {}, "version": "2"}', "version"),
        ('{"identifiers": {}, "identifiers": {}}', "rules"),
        ('{"identifiers": {}, "matching": NaN}', "rules"),
        ("{}", "identifiers"),
        ("[]", "rules"),
        ("nothing", "rules"),
        ("[" * 100_000, "rules"),
    ],
)
def test_rules_that_say_something_else_are_refused_by_field(text: str, field: str) -> None:
    with pytest.raises(UnreadableMatchRules) as refused:
        read_rules("1", text)
    assert refused.value.field == field
    assert refused.value.reason


def test_rules_are_written_as_they_are_read() -> None:
    assert read_rules(DEFAULT.version, DEFAULT.text()) == DEFAULT
    text = '{"identifiers": {"sns": {"class": "weak"}}, "matching": {"upper": 18.5}}'
    said = read_rules("2", text)
    assert read_rules("2", said.text()) == said
    assert said.matching == {"upper": 18.5}
    assert part(text, "identifiers") == '{"sns":{"class":"weak"}}'
    assert part(text, "survivorship") is None


def test_the_greatest_version_is_in_force_whatever_the_clock_says() -> None:
    text = json.dumps({"phone": {"class": "strong"}})
    far = 4_000_000_000_000_000
    versions = [(far, "1", text), (far, "2", text), (5, "9", text)]
    assert active(versions).version == active(reversed(versions)).version == "2"
    assert active([]).limits == {"account": 10, "card": 10, "email": 10, "phone": 10}


def test_a_kind_that_is_weak_or_not_named_connects_nobody(memory: Memory) -> None:
    for who in "ab":
        tell(memory, [enrolled(who, identifier("phone", "p"), identifier("sns", "s"))])
    assert members(memory)["a"] == {"a", "b"}
    tell(memory, [activated("1", phone={"class": "weak"})])
    assert members(memory)["a"] == {"a"}
    tell(memory, [activated("2", 1, phone={"class": "weak"}, sns={"class": "strong"})])
    assert members(memory)["a"] == {"a", "b"}


def test_a_blocked_value_connects_nobody(memory: Memory) -> None:
    for who in "ab":
        tell(memory, [enrolled(who, identifier("phone", "0"), identifier("email", who))])
    tell(memory, [activated("1", phone={"blocked": [named("phone 0").hex()]})])
    assert members(memory)["a"] == {"a"}


def test_a_window_counts_first_sightings_that_are_near_each_other(memory: Memory) -> None:
    phone = identifier("phone", "p")
    tell(memory, [activated("1", phone={"limit": 2, "window_days": 30})])
    tell(memory, [enrolled(who, phone, day=40 * at) for at, who in enumerate("abcd")])
    assert members(memory)["a"] == set("abcd"), "never more than one within a month"
    # that b was seen with it twenty days sooner and d sixty makes three within one month
    tell(
        memory,
        [IdentifierObserved(meta=meta(minute=20 * DAYS), profile_id=named("b"), identifier=phone)],
    )
    assert members(memory)["a"] == set("abcd")
    tell(
        memory,
        [IdentifierObserved(meta=meta(minute=30 * DAYS), profile_id=named("d"), identifier=phone)],
    )
    assert members(memory)["a"] == {"a"}


def test_a_value_of_very_many_belongs_to_nobody_in_any_window(memory: Memory) -> None:
    phone = identifier("phone", "p")
    tell(memory, [activated("1", phone={"limit": 1, "window_days": 1})])
    for number in range(20):
        tell(memory, [enrolled(f"n{number}", phone, day=3 * number)])
    assert len({row["member_id"] for row in memory.table(group).values()}) == 1
    tell(memory, [enrolled("one more", phone, day=90)])
    assert len({row["member_id"] for row in memory.table(group).values()}) == 21


def test_links_of_the_next_rules_wait_for_the_fact_that_switches(memory: Memory) -> None:
    tell(memory, [enrolled(who) for who in "abc"])
    tell(memory, [found("a", "b", "default"), found("b", "c", "next")])
    assert members(memory)["b"] == {"a", "b"}
    tell(memory, [activated("next")])
    assert members(memory)["b"] == {"b", "c"}


def test_a_guess_never_joins_two_cards_and_takes_nothing_from_an_identifier(
    memory: Memory,
) -> None:
    mail = identifier("email", "m")
    tell(memory, [enrolled("a", identifier("card", "1"), mail), enrolled("b", mail)])
    tell(memory, [enrolled("c", identifier("card", "2")), found("a", "c", "default")])
    assert members(memory)["a"] == {"a", "b"}
    assert all(memory.table(group)[(named(who),)]["open_case"] for who in "abc")


def test_one_profile_between_two_cards_is_given_to_neither_by_guesses(memory: Memory) -> None:
    tell(memory, [enrolled(who, identifier("card", who)) for who in "ac"])
    tell(memory, [enrolled("b"), found("a", "b", "default"), found("b", "c", "default")])
    assert set(map(len, members(memory).values())) == {1}


def test_an_account_on_two_cards_joins_them_only_when_a_person_says_so(memory: Memory) -> None:
    account = identifier("account", "x")
    tell(memory, [enrolled("a", identifier("card", "1"), account)])
    tell(memory, [enrolled("b", identifier("card", "2"), account)])
    assert members(memory)["a"] == {"a"}
    tell(
        memory,
        [
            ProfilesLinked(
                meta=meta(),
                link_id=named("l"),
                profile_id=named("a"),
                other_profile_id=named("b"),
                decided_by="PERSON",
            )
        ],
    )
    assert members(memory)["a"] == {"a", "b"}


def test_a_new_card_in_the_same_profile_does_not_keep_it_from_its_account(memory: Memory) -> None:
    mail = identifier("email", "m")
    tell(memory, [enrolled("a", identifier("card", "old"), identifier("card", "new"), mail)])
    tell(memory, [enrolled("b", identifier("account", "x"), mail)])
    assert members(memory)["a"] == {"a", "b"}


def test_a_person_beats_rules_and_identifiers_whatever_the_time(memory: Memory) -> None:
    mail = identifier("email", "m")
    tell(memory, [enrolled("a", mail), enrolled("b", mail), enrolled("c")])
    tell(
        memory,
        [
            LinkDeclined(
                meta=meta(minute=1),
                profile_id=named("a"),
                other_profile_id=named("b"),
                decided_by="PERSON",
            )
        ],
    )
    tell(
        memory,
        [
            LinkDeclined(
                meta=meta(minute=1),
                profile_id=named("a"),
                other_profile_id=named("c"),
                decided_by="PERSON",
            )
        ],
    )
    tell(memory, [found("a", "c", "default", minute=9)])
    assert set(map(len, members(memory).values())) == {1}
    assert not memory.table(group)[(named("a"),)]["open_case"], "it was decided"


def test_a_rule_may_take_back_what_it_found(memory: Memory) -> None:
    tell(memory, [enrolled("a"), enrolled("b"), found("a", "b", "default")])
    undone = ProfilesUnlinked(
        meta=meta(minute=5),
        profile_id=named("b"),
        other_profile_id=named("a"),
        decided_by=None,
        link_id="RULE",
        rule_version="default",
    )
    tell(memory, [undone])
    assert members(memory)["a"] == {"a"}


@pytest.mark.servers
def test_everybody_is_grouped_anew_in_the_transaction_of_the_rules(engine: Engine) -> None:
    engine.reset()
    phone, log = identifier("phone", "p"), Log()
    enrolments = [enrolled(who, phone, identifier("card", who)) for who in "ab"]
    enrolments += [enrolled(who, identifier("email", "e")) for who in "cd"]
    changes: list[list[Any]] = [
        [*enrolments, found("a", "c", "next")],
        [activated("weak", 5, card={"class": "weak"})],
        [activated("late", 4, email={"class": "weak"})],
        [activated("next", 6, card={"class": "weak"}, email={"class": "weak"})],
        [activated("usual", 7)],
    ]
    sizes, memory = [], Memory(engine.group)
    for events in changes:
        engine.tell(*events, log=log)
        tell(memory, events)
        assert engine.rows(group) == memory.table(group)
        sizes.append(sorted(map(len, {frozenset(one) for one in members(memory).values()})))
    assert sizes == [[1, 1, 2], [2, 2], [2, 2], [1, 3], [1, 1, 2]]
    assert engine.rows(rules) == memory.table(rules)


@pytest.mark.servers
def test_rules_that_cannot_be_read_are_a_dead_letter_and_change_nothing(engine: Engine) -> None:
    engine.reset()
    bad = MatchRulesActivated(
        meta=meta(), rule_set="identity", version="bad", rules='{"earn": []}', valid_from=T0
    )
    other = MatchRulesActivated(
        meta=meta(), rule_set="of somebody else", version="1", rules="whatever", valid_from=T0
    )
    engine.tell(bad, other)
    counted = engine.counts()
    assert (counted["dead_letter"], counted["applied"]) == (1, 1)
    assert engine.rows(rules) == {}


@pytest.mark.servers
def test_a_great_member_is_named_whole_on_its_own_row_alone(engine: Engine) -> None:
    engine.reset()
    many = [f"p{number}" for number in range(17)]
    log = Log()
    engine.tell(*[enrolled(who) for who in many], log=log)
    links = [found(one, other, "default") for one, other in pairwise(many)]
    engine.tell(*links[:-1], log=log)
    assert {len(row["profiles"] or ()) for row in engine.rows(group).values()} == {16, 1}
    engine.tell(links[-1], log=log)
    rows = engine.rows(group)
    assert sorted(len(row["profiles"] or ()) for row in rows.values()) == [0] * 16 + [17]
    assert len({row["member_id"] for row in rows.values()}) == 1


MANY = 30_000


@pytest.mark.servers
def test_a_worker_that_groups_everybody_holds_a_part_of_them(engine: Engine) -> None:
    engine.reset()
    log = Log()
    crowd(engine, MANY)
    assert _peak(engine, activated("2", phone={"class": "weak"}), log) < 100 * MANY
    alone = "select count(*) from member_group where profiles = array[profile_id]"
    assert engine.connection.execute(alone).fetchone() == (MANY,)
    assert _peak(engine, activated("3", at=1, phone={"class": "strong"}), log) < 100 * MANY
    members = "select count(*), count(distinct member_id) from member_group"
    assert engine.connection.execute(members).fetchone() == (MANY, MANY // 2 + 1)
    noted = engine.connection.execute("select views from redis_pending").fetchall()
    keys = [key for (views,) in noted for key in json.loads(views).get("member_group", ())]
    paired = MANY - 2  # the first and the last share their number with nobody
    assert (len(keys), len(set(keys))) == (paired, paired), "Redis gets the row of each of them"


def _peak(engine: Engine, event: MatchRulesActivated, log: Log) -> int:
    """How many bytes were held most while it was taken."""
    tracemalloc.start()
    try:
        engine.tell(event, log=log)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.servers
def test_who_cannot_group_everybody_says_so(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "decide", json.loads)
    with pytest.raises(DerivationFailed, match="exit status 1"):
        list(decided_on_all(engine.connection, group, {"rules": []}))
