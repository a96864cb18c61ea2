"""What staff sees and decides: cases, evidence, decisions that are remembered, twins at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.services.identity.town import BASE, TOKENS, Town, registered, town, updated

pytestmark = pytest.mark.servers
WHY = {"actor": "desk-3", "reason": "called back"}
LATER = "2026-05-01T10:00:00+09:00"
LAST = "2026-05-02T10:00:00+09:00"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("desk")) as made:
        yield made


def namesakes(place: Town, name: str, **more: Any) -> tuple[str, str]:
    """Two profiles of whom only the name is known: too little to link them."""
    one, other = registered(name=name, **more), registered(name=name)
    place.tells([one, other])
    place.settled()
    first, second = sorted([one["profile_id"], other["profile_id"]])
    return first, second


def cases(place: Town, profile: str, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.desk.ask("/cases", profile_id=profile, **filters)["cases"]
    return found


def one_case(place: Town, profile: str) -> dict[str, Any]:
    (found,) = cases(place, profile)
    return found


def test_a_case_shows_both_sides_and_their_values_to_who_may_see_them(place: Town) -> None:
    first, second = namesakes(place, "佐藤 健一")
    case = one_case(place, first)
    assert case["profile_ids"] == [first, second]
    assert case["state"] == "open" and case["evidence"] == ["family:equal", "given:equal"]
    shown = place.desk.ask(f"/cases/{case['case_id']}")
    assert [side["name"] for side in shown["profiles"]] == [None, None]
    assert [side["holds"] for side in shown["profiles"]] == [["name"], ["name"]]
    fields = {one["field"]: one for one in shown["fields"]}
    assert fields["given"]["level"] == "equal" and fields["given"]["weight"] > 0
    assert sum(one["weight"] for one in fields.values()) == pytest.approx(case["weight"], abs=0.01)
    shown = place.desk.ask(f"/cases/{case['case_id']}", purpose="support")
    assert [side["name"] for side in shown["profiles"]] == ["佐藤 健一", "佐藤 健一"]


def test_a_yes_makes_one_member_and_is_given_once(place: Town) -> None:
    first, second = namesakes(place, "鈴木 一郎")
    path = f"/cases/{one_case(place, first)['case_id']}/link"
    answer = place.desk.post(path, WHY, "key-of-a-yes")
    assert answer.status_code == 200, answer.text
    assert place.desk.post(path, WHY, "key-of-a-yes").json() == answer.json()
    again = place.desk.post(path, WHY)
    assert again.status_code == 409 and again.json()["actor"] == "desk-3"
    assert cases(place, first) == []
    place.settled()
    assert place.member_of(first) == place.member_of(second)
    (closed,) = cases(place, first, state="closed")
    assert (closed["outcome"], closed["reason"]) == ("linked", "called back")
    assert [closed["event_id"]] == answer.json()["event_ids"]

    # and back again: apart, whatever the rules find
    body = {"profile_id": first, "other_profile_id": second, **WHY}
    assert place.desk.post("/unlinks", body).status_code == 200
    place.settled()
    assert place.member_of(first) != place.member_of(second)
    assert place.desk.post("/unlinks", body).status_code == 409


def test_a_link_is_taken_back_before_it_is_applied(place: Town) -> None:
    """Linked by mistake and noticed at once: nobody waits for the projector."""
    first, second = namesakes(place, "石川 一成", birth_date="1977-07-07")
    body = {"profile_id": first, "other_profile_id": second, **WHY}
    place.projector.send_signal(signal.SIGSTOP)
    try:
        assert place.desk.post("/unlinks", body).status_code == 409
        assert place.desk.post("/links", body).status_code == 200
        assert place.desk.post("/unlinks", body).status_code == 200
        assert place.desk.post("/unlinks", body).status_code == 409, "they are apart again"
    finally:
        place.projector.send_signal(signal.SIGCONT)
    place.settled()
    assert place.member_of(first) != place.member_of(second)


def test_a_no_is_remembered_until_the_evidence_changes(place: Town) -> None:
    first, second = namesakes(place, "高田 美咲", birth_date="1990-01-02")
    case = one_case(place, first)
    assert place.desk.post(f"/cases/{case['case_id']}/decline", WHY).status_code == 200
    place.settled()
    place.tells([updated(first, LATER, name="髙田　美咲"), updated(second, LATER, phone="x")][:1])
    place.settled()
    assert cases(place, first) == []  # the same levels
    (closed,) = cases(place, first, state="closed")
    assert (closed["outcome"], closed["actor"], closed["reason"]) == ("declined", *WHY.values())
    born = [updated(one, LATER, birth_date="1990-01-02") for one in (first, second)]
    place.tells(born)
    place.settled()
    case = one_case(place, first)  # heavy enough to be linked; but a person said no
    assert "birth_date:equal" in case["evidence"] and case["weight"] > 9
    assert place.member_of(first) != place.member_of(second)
    shown = place.desk.ask(f"/cases/{case['case_id']}")
    assert [(one["together"], one["reason"]) for one in shown["decisions"]] == [
        (False, "called back")
    ]


def test_a_link_by_rule_goes_when_its_evidence_goes(place: Town) -> None:
    same = {"name": "中村 翔太", "birth_date": "1980-03-04", "postcode": "150-0001"}
    one, other = registered(**same), registered(**same)
    place.tells([one, other])
    place.settled()
    ids = sorted(UUID(each["profile_id"]) for each in (one, other))
    assert tuple(ids) in place.pairs()
    place.tells([updated(one["profile_id"], LATER, name="森 大輔", birth_date="1961-12-30")])
    place.settled()
    assert tuple(ids) not in place.pairs()
    assert place.member_of(str(ids[0])) != place.member_of(str(ids[1]))
    place.tells([updated(one["profile_id"], LAST, name="中村 翔太", birth_date="1980-03-04")])
    place.settled()
    assert tuple(ids) in place.pairs()  # the facts of a pair are told apart by their times
    assert place.road.sql("select count(*) from dead_letter")[0][0] == 0


def test_a_field_that_is_cleared_counts_no_more(place: Town) -> None:
    first, second = namesakes(place, "小川 直樹")
    assert len(cases(place, first)) == 1
    place.tells([updated(first, LATER, cleared=["name"])])
    place.settled()
    assert cases(place, first) == []
    (closed,) = cases(place, second, state="closed")
    assert closed["outcome"] == "evidence" and closed["actor"] is None


def test_who_is_erased_is_nobody_s_twin(place: Town) -> None:
    first, second = namesakes(place, "青木 涼子")
    assert len(cases(place, first)) == 1
    erased = place.road.begin("erase", "--yes", first)
    out, errors = erased.communicate(timeout=120)
    assert erased.returncode == 0, (out + errors).decode()
    place.settled()
    assert cases(place, first) == []
    kept = "select count(*) from match_features where profile_id = %s"
    assert place.road.sql(kept, first) == [(0,)]
    assert place.road.sql(kept, second) == [(1,)]
    assert twins(place, name="青木 涼子") == [second]


def twins(place: Town, **typed: Any) -> list[str]:
    answer = place.desk.post("/search", typed)
    assert answer.status_code == 200, answer.text
    return [one["profile_id"] for one in answer.json()["twins"]]


def test_who_is_typed_in_is_found_before_being_created(place: Town) -> None:
    known = registered(
        name="渡辺 さくら", name_kana="ワタナベ サクラ", birth_date="1995-05-05",
        email="sakura@example.jp", phone="090-5555-0001",
    )  # fmt: skip
    place.tells([known])
    place.settled()
    answer = place.desk.post("/search", {"name_kana": "わたなべ　さくら", "phone": "09055550001"})
    (twin,) = answer.json()["twins"]
    assert twin["profile_id"] == twin["member_id"] == known["profile_id"]
    assert 0.5 < twin["probability"] <= 1 and twin["weight"] > 0
    assert {"phone", "given"} <= {one["field"] for one in twin["evidence"]}
    assert twins(place, name="渡辺 さくら", birth_date="昭和40年1月1日") == []
    refused = place.desk.post("/search", {"phone": "no phone"})
    assert refused.status_code == 422 and refused.json()["errors"][0]["pointer"] == "/phone"
    assert place.desk.post("/search", {}).status_code == 422


def test_one_profile_is_split_from_the_rest(place: Town) -> None:
    three = [registered(name=f"島田 {number}郎", email="shimada@example.jp") for number in "三四五"]
    place.tells(three)
    place.settled()
    ids = [one["profile_id"] for one in three]
    assert len({place.member_of(one) for one in ids}) == 1
    answer = place.desk.post("/splits", {"profile_id": ids[1], **WHY})
    assert answer.status_code == 200 and len(answer.json()["event_ids"]) == 2
    place.settled()
    assert place.member_of(ids[0]) == place.member_of(ids[2]) != place.member_of(ids[1])
    assert place.desk.post("/splits", {"profile_id": ids[1], **WHY}).status_code == 409


def test_two_cards_with_one_phone_wait_for_a_person(place: Town) -> None:
    both = [
        registered(name=f"野口 {name}", card=f"2900 7777 {name}", phone="090-7777-7777")
        for name in ("1234", "5678")
    ]
    place.tells(both)
    place.settled()
    ids = [one["profile_id"] for one in both]
    assert place.member_of(ids[0]) != place.member_of(ids[1])
    (conflict,) = cases(place, ids[0], kind="conflict")
    shown = place.desk.ask(f"/cases/{conflict['case_id']}")
    assert [(one["kind"], one["profile_id"]) for one in shown["shared_with"]] == [("phone", ids[1])]
    assert {side["profile_id"] for side in shown["profiles"]} == set(ids)


def test_pages_go_on_where_the_one_before_ended(place: Town) -> None:
    whole = place.desk.ask("/cases", limit=200)
    found, cursor = [], {}
    while True:
        page = place.desk.ask("/cases", limit=1, **cursor)
        found += page["cases"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert found == whole["cases"] and len(found) > 2
    weights = [one["weight"] for one in found if one["kind"] == "pair"]
    assert weights == sorted(weights, reverse=True)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/cases?state=maybe", 422),
        ("/cases?limit=0", 422),
        ("/cases?cursor=abc", 422),
        ("/cases/nonsense", 422),
        (f"/cases/{UUID(int=404)}", 404),
    ],
)
def test_what_cannot_be_asked_is_refused(place: Town, path: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {TOKENS['staff']}"}
    answer = httpx.get(place.desk.url + BASE + path, headers=headers, trust_env=False)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_decisions_need_their_scope(place: Town) -> None:
    body = {"profile_id": str(uuid4()), "other_profile_id": str(uuid4()), **WHY}
    headers = {"Authorization": f"Bearer {TOKENS['app']}", "Idempotency-Key": "k"}
    url = place.desk.url + BASE + "/links"
    assert httpx.post(url, json=body, headers=headers, trust_env=False).status_code == 403
    assert place.desk.post("/links", body).status_code == 404


def test_a_value_of_too_many_is_listed(place: Town) -> None:
    crowd = [registered(name=f"客{number}", phone="0120-000-111") for number in range(11)]
    place.tells(crowd)
    place.settled()
    (found,) = cases(place, crowd[0]["profile_id"], kind="quarantine")
    assert (found["identifier"], found["why"], found["profiles"]) == ("phone", "limit", 11)
    assert {one["profile_id"] for one in crowd} == set(found["profile_ids"])
    assert place.member_of(crowd[0]["profile_id"]) != place.member_of(crowd[1]["profile_id"])
