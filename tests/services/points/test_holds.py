"""Is a point spent once, whatever the channel, and does a "no" stay one?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from projections.core.instants import micros
from tests.services.deciding.asking import problem
from tests.services.points.wallet import HOLDS, Wallet, wallet

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]
HELD_SECONDS = 3  # what a busy machine needs for two requests, and more


@pytest.fixture(scope="module")
def purse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    with wallet(tmp_path_factory.mktemp("points")) as own:
        yield own


def test_points_earned_online_are_held_at_the_till_and_spent(purse: Wallet) -> None:
    who = purse.earned(100)
    made = purse.post(HOLDS, {"profile_id": str(who), "channel": "STORE", "points": 60}, who="till")
    assert made.status_code == 201, made.text
    held = made.json()
    assert (held["points"], held["available"]) == (60, 40)
    assert held["version"] == 1
    assert any(place.startswith("commerce.points-") for place in held["position"])
    name = held["hold_id"]
    assert purse.state(name) == "open"
    seen = purse.points(who)
    assert (seen["balance"], seen["held"], seen["available"]) == (100, 60, 40)
    assert problem(purse.hold(who, 41), 409, "insufficient-points")["available"] == 40
    sale = str(uuid4())
    spent = purse.post(f"{HOLDS}/{name}/capture", {"points": 50, "transaction_id": sale})
    assert spent.status_code == 200, spent.text
    assert (spent.json()["points"], spent.json()["freed"], spent.json()["available"]) == (
        50,
        10,
        50,
    )
    purse.until(lambda: purse.state(name) == "applied")
    seen = purse.points(who, min_position=f"event:{spent.json()['event_id']}")
    assert (seen["balance"], seen["held"], seen["available"], seen["redeemed"]) == (50, 0, 50, 50)
    entries = purse.read(f"/v1/members/{who}/points/entries")
    assert [(one["kind"], one["points"], one["balance"]) for one in entries] == [
        ("redeemed", -50, 50), ("earned", 100, 100),
    ]  # fmt: skip
    assert entries[0]["transaction_id"] == sale
    assert entries[0]["lot_id"] == entries[1]["lot_id"]


def test_one_key_is_one_decision_and_one_answer_also_for_a_no(purse: Wallet) -> None:
    who = purse.earned(5)
    first, again = (purse.redeem(who, 5, key=f"{who}-a") for _ in range(2))
    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert first.status_code == 200
    no = purse.redeem(who, 1, key=f"{who}-b")
    assert no.status_code == 409
    purse.earned(10, who)
    assert purse.redeem(who, 1, key=f"{who}-b").text == no.text, "a retry made it a yes"
    other = purse.redeem(who, 2, key=f"{who}-b")
    assert problem(other, 422, "key-reused")["title"] == "Key used for another command"
    assert purse.redeem(who, 10).status_code == 200


def test_a_hold_ends_by_its_time_and_each_is_resolved_once(purse: Wallet) -> None:
    who = purse.earned(30)
    short = purse.hold(who, 30, ttl_seconds=HELD_SECONDS).json()["hold_id"]
    assert purse.hold(who, 1).status_code == 409
    time.sleep(HELD_SECONDS + 0.05)
    longer = purse.hold(who, 30)
    assert longer.status_code == 201
    problem(purse.post(f"{HOLDS}/{short}/capture", {}), 409, "resolved")
    assert purse.state(short) == "expired"
    name = longer.json()["hold_id"]
    too_many = purse.post(f"{HOLDS}/{name}/capture", {"points": 31})
    assert problem(too_many, 409, "insufficient-points")["available"] == 30
    assert purse.post(f"{HOLDS}/{name}/release", {"dry_run": True}).status_code == 200
    assert purse.state(name) == "open"
    assert purse.post(f"{HOLDS}/{name}/release", {}).status_code == 200
    problem(purse.post(f"{HOLDS}/{name}/capture", {}), 409, "resolved")
    problem(purse.post(f"{HOLDS}/{uuid4()}/release", {}), 404, "hold-not-found")
    assert purse.hold(who, 40, mode="best_effort").json()["points"] == 30


def test_the_soonest_to_expire_is_spent_first_over_all_of_a_members_profiles(
    purse: Wallet,
) -> None:
    now = datetime.now(UTC)
    card, account = purse.earned(10), purse.earned(10, expires_at=micros(now + timedelta(days=9)))
    purse.earned(10, account, active_from=micros(now + timedelta(days=1)))
    purse.earned(10, card, expires_at=micros(now - timedelta(days=1)))
    assert purse.redeem(card, 11, dry_run=True).status_code == 409
    purse.append("ProfilesLinked", profile_id=card.bytes, other_profile_id=account.bytes)
    purse.until(lambda: purse.redeem(card, 11, dry_run=True).status_code == 200)
    said = purse.redeem(card, 11).json()
    assert [(one["profile_id"], one["points"]) for one in said["allocations"]] == [
        (str(account), 10), (str(card), 1),
    ]  # fmt: skip
    purse.until(lambda: purse.points(card)["balance"] == 9)
    seen = purse.points(account)
    assert (seen["pending"], seen["expired"], seen["debt"]) == (10, 10, 0)
    assert sorted(lot["state"] for lot in seen["lots"]) == ["active", "pending"]
    problem(purse.redeem(account, 10), 409, "insufficient-points")


def test_what_an_offline_till_took_too_much_is_debt_until_it_is_repaid(purse: Wallet) -> None:
    who = purse.earned(20)
    purse.append(
        "PointsRedeemed", profile_id=who.bytes, points=50, allocations=[], hold_id=None,
        transaction_id=uuid4().bytes,
    )  # fmt: skip
    purse.until(lambda: purse.stored(who) == -30)
    assert problem(purse.hold(who, 1), 409, "insufficient-points")["available"] == 0
    purse.until(lambda: purse.points(who)["debt"] == 30)
    purse.earned(40, who)
    assert purse.hold(who, 11, dry_run=True).status_code == 409
    assert purse.hold(who, 10, dry_run=True).status_code == 200


def test_two_hundred_want_the_whole_balance_and_one_gets_it(purse: Wallet) -> None:
    who = purse.earned(500)
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: purse.redeem(who, 500).status_code, range(200)))
    assert sorted(answers) == [200] + [409] * 199


def test_a_balance_as_of_then_and_what_is_owed_by_month(purse: Wallet) -> None:
    ends = datetime(2031, 3, 15, tzinfo=UTC)
    who = purse.earned(70, expires_at=micros(ends))
    purse.redeem(who, 20)
    purse.until(lambda: purse.points(who)["balance"] == 50)
    months = {one["month"]: one["points"] for one in purse.read("/v1/points-liability")}
    assert months["2031-03"] == 50
    before = purse.read(f"/v1/members/{who}/points/entries")[-1]["at"]
    assert purse.points(who, as_of=before)["balance"] == 70
    assert purse.points(who, as_of=ends.isoformat())["balance"] == 0


def test_what_cannot_be_read_is_refused_with_field_and_reason(purse: Wallet) -> None:
    who = uuid4()
    no = problem(purse.hold(who, 0), 422, "unprocessable-entity")
    assert no["errors"][0]["pointer"] == "/points"
    outside = {"profile_id": str(who), "channel": "EC", "points": 1}
    problem(purse.post(HOLDS, outside, who="till"), 403, "forbidden")
    problem(purse.hold(who, 1), 404, "profile-not-found")
    assert purse.client.post(HOLDS, json=outside).status_code == 401


def test_a_hold_of_another_is_not_seen_by_an_id_that_is_none(purse: Wallet) -> None:
    headers = {"Authorization": "Bearer ec-token-of-a-test"}
    no = problem(purse.client.get(f"{HOLDS}/nothing", headers=headers), 422, "unprocessable-entity")
    assert no["errors"][0]["pointer"] == "/path/id"
    missing = purse.client.get(f"{HOLDS}/{UUID(int=1)}", headers=headers)
    problem(missing, 404, "hold-not-found")
