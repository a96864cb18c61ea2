"""What a replay prints is what two full rebuilds differ by; and switching makes it true."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from projections.member.rules import MatchRules
from schemas.generated.inputs import example
from services.identity.replay import run
from tests.services.identity.people import Crowd
from tests.services.identity.town import TOKENS, Town, town
from tests.services.identity.weighing import rules

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
SEED, PEOPLE = 20_260_401, 200
Groups = dict[str, frozenset[str]]


def other_rules() -> MatchRules:
    """Phones and mail say nothing any more, and two who are alike are linked sooner."""
    made = rules("second", upper=4.0, silent=("phone", "email"))
    weak = made.identifiers["phone"].model_copy(update={"class_": "weak"})
    identifiers = {**made.identifiers, "phone": weak, "email": weak}
    return made.model_copy(update={"identifiers": identifiers})


def events() -> list[dict[str, Any]]:
    """Profiles, corrections, purchases and points, the same for every town."""
    crowd = Crowd(SEED, PEOPLE)
    policy = example("NeedPolicySet") | {"kind": "ONE_OFF", "sku": None, "category": None}
    policy["valid_from"] = "2020-01-01T00:00:00+09:00"
    told = [policy, *crowd.arrivals(), *crowd.changes(300)]
    for number, profile in enumerate(crowd.profiles):
        told.append(_about("PurchaseCompleted", profile, number))
        if number % 2:
            told.append(_about("PointsEarned", profile, number))
    return told


def _about(name: str, profile: str, number: int) -> dict[str, Any]:
    event: dict[str, Any] = example(name)
    event["meta"]["event_id"] = str(uuid4())
    event["meta"]["producer"] = {"system": "pos", "channel": "STORE"}
    event |= {"profile_id": profile, "transaction_id": str(UUID(int=number + 1))}
    for line in event.get("lines", ()):
        line["sku"] = f"item-{number % 40}"
    for lot in event.get("lots", ()):
        lot |= {"lot_id": str(UUID(int=10_000 + number)), "points": number + 1}
        lot |= {"active_from": None, "expires_at": None}
    return event


@pytest.fixture(scope="module")
def same() -> list[dict[str, Any]]:
    return events()


@pytest.fixture(scope="module")
def towns(
    tmp_path_factory: pytest.TempPathFactory, same: list[dict[str, Any]]
) -> Iterator[tuple[Town, Town]]:
    """Both are told the same, and work on it at the same time."""
    with (
        town(tmp_path_factory.mktemp("old")) as first,
        town(tmp_path_factory.mktemp("new"), made=other_rules()) as second,
    ):
        for place in (first, second):
            place.tells(same)
        for place in (first, second):
            place.settled(120)
            place.until(lambda place=place: place.road.applied() >= len(same))
        yield first, second


@pytest.fixture(scope="module")
def old(towns: tuple[Town, Town]) -> Town:
    """Where the other rules are tried."""
    return towns[0]


@pytest.fixture(scope="module")
def new(towns: tuple[Town, Town]) -> Town:
    """Where the other rules were in force from the beginning."""
    return towns[1]


def groups(place: Town) -> Groups:
    parts: dict[str, set[str]] = {}
    rows = place.road.sql("select profile_id, member_id from member_group")
    for profile, member in rows:
        parts.setdefault(str(member), set()).add(str(profile))
    return {str(profile): frozenset(parts[str(member)]) for profile, member in rows}


def told_groups(found: Mapping[str, Any], before: Groups) -> Groups:
    """What the report says that groups would be."""
    after = dict(before)
    for split in found["splits"]:
        for part in split["into"]:
            after |= dict.fromkeys(part, frozenset(part))
    for join in found["joins"]:
        after |= dict.fromkeys(join["profile_ids"], frozenset(join["profile_ids"]))
    return after


def test_the_printed_difference_is_that_of_two_rebuilds(
    old: Town, new: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rules.json"
    file.write_text(other_rules().model_dump_json(by_alias=True), "utf-8")
    found = old.road.verb("identity", "replay", "--rules", str(file))
    before, after = groups(old), groups(new)
    assert {tuple(sorted(one["profile_ids"])) for one in found["splits"]} == {
        tuple(sorted(part)) for part in set(before.values()) if len({after[p] for p in part}) > 1
    }
    assert {tuple(sorted(one["profile_ids"])) for one in found["joins"]} == {
        tuple(sorted(part)) for part in set(after.values()) if len({before[p] for p in part}) > 1
    }
    assert told_groups(found, before) == after
    assert len(found["splits"]) > 5 < len(found["joins"])
    assert any(one["links"] for one in found["joins"])
    assert found["switched"] is False and groups(old) == before

    # what it moves is what the two APIs answer
    moved = {profile for move in found["moves"] for profile in move["profile_ids"]}
    assert moved == {profile for profile in before if before[profile] != after[profile]}
    for move in found["moves"][:12]:
        for place, said in ((old, move["points_before"]), (new, move["points_after"])):
            assert {answer(place, one, "points")["balance"] for one in said} == set(said.values())
        for name, first, second in (("suppressed", new, old), ("released", old, new)):
            gained = {
                (profile, sku)
                for profile in move["profile_ids"]
                for sku in unwelcome(first, profile) - unwelcome(second, profile)
            }
            assert {(one["profile_id"], one["sku"]) for one in move[name]} == gained
    assert sum(len(move["suppressed"]) for move in found["moves"]) > 0

    # and then it is done, by one activation, though no projector applies it in time
    _switched_after_a_time_out(old, monkeypatch)
    old.settled(120)
    assert groups(old) == after
    old.until(lambda: cases(old) == cases(new))
    refused = old.road.begin("identity", "replay", "--rules", str(file), "--json")
    assert "activated before" in refused.communicate(timeout=60)[1].decode()
    assert old.road.sql("select count(*) from dead_letter") == [(0,)]


def _switched_after_a_time_out(place: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The projector stands still while the activation waits; the same command is given again."""
    projector, applied = place.road.last("projector"), run._applied
    signals = [signal.SIGSTOP, signal.SIGCONT]

    async def interrupted(settings: Any, connection: Any, events: list[UUID]) -> None:
        if len(events) == 1:  # the activation, after the links
            projector.send_signal(signals[0])
            patience = 2.0 if signals[0] == signal.SIGSTOP else 60.0
            monkeypatch.setattr(run, "PATIENCE_SECONDS", patience)
        await applied(settings, connection, events)

    monkeypatch.setattr(run, "_applied", interrupted)
    with pytest.raises(run.CannotReplay, match="nothing is stored twice"):
        asyncio.run(run.replay(place.road.settings, other_rules(), True, lambda *_: None))
    signals.pop(0)
    found = asyncio.run(run.replay(place.road.settings, other_rules(), True, lambda *_: None))
    assert found.switched is True
    stored = place.road.sql("select record_value from outbox where topic = 'commerce.catalog'")
    assert len(stored) == 1, "the second run stored a second activation"


def cases(place: Town) -> set[Any]:
    return set(
        place.road.sql(
            "select case_id, weight from identity_case"
            " where rule_version = 'second' and closed_at is null"
        )
    )


def answer(place: Town, profile: str, part: str) -> Any:
    headers = {"Authorization": f"Bearer {TOKENS['app']}"}
    url = f"{place.reads}/v1/members/{profile}/{part}"
    found = httpx.get(url, headers=headers, trust_env=False, timeout=20)
    assert found.status_code == 200, found.text
    return found.json()["data"]


def unwelcome(place: Town, profile: str) -> set[str]:
    return {one["sku"] for one in answer(place, profile, "suppressions")}


def test_a_file_that_is_none_is_refused_by_field_and_reason(old: Town, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    for text, said in (
        ("{", "rules.json"),
        ('{"identifiers": {}}', "version"),
        ('{"version": "x", "identifiers": {"card": {"class": "odd"}}}', "identifiers.card.class"),
        ('{"version": "x", "identifiers": {}, "matching": {"format": 1}}', "matching."),
    ):
        file.write_text(text, "utf-8")
        process = old.road.begin("identity", "replay", "--rules", str(file))
        errors = process.communicate(timeout=60)[1].decode()
        assert process.returncode == 1 and said in errors.replace("\n", ""), errors


def test_rules_are_estimated_and_replayed(old: Town, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    made = old.road.begin("identity", "estimate", "--out", str(file), "--version", "learned")
    out, errors = made.communicate(timeout=120)
    assert made.returncode == 0, (out + errors).decode()[-2_000:]
    read = json.loads(file.read_text("utf-8"))
    assert read["version"] == "learned" and read["matching"]["comparisons"]
    found = old.road.verb("identity", "replay", "--rules", str(file))
    assert found["links"] > 20
    listed = old.road.begin("identity", "cases", "--json").communicate(timeout=60)[0]
    assert {one["kind"] for one in json.loads(listed)} >= {"pair"}
