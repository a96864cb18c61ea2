"""Is it said before the money goes out what becomes of the points, and is it done once?"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest

from projections.core.instants import DAY
from schemas.generated.events.parts import EarnedLot
from tests.services.points.program import ONE_IN_TEN, RETURNS, Program, program

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with program(tmp_path_factory.mktemp("returns")) as own:
        own.sets({**ONE_IN_TEN, "return_policy": "withhold_from_refund", "point_value": 2})
        yield own


def bought(shop: Program, points: int, units: int = 1) -> tuple[UUID, UUID]:
    """A profile, and its sale of one line that earned so many."""
    who = uuid4()
    sale = shop.sells(who, [("tea", units, points * 10)])
    shop.until(lambda: shop.stored(who) == points)
    return who, sale


def no(answer: Any, kind: str, status: int = 409) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    assert found["type"] == f"/problems/{kind}"
    return found


def test_what_was_spent_is_withheld_from_the_refund_and_said_in_money(shop: Program) -> None:
    who, sale = bought(shop, 100, units=4)
    assert shop.redeem(who, 90).status_code == 200
    shop.until(lambda: shop.stored(who) == 10)
    dry = shop.asks(who, sale, {1: 2}, dry_run=True).json()
    said = shop.asks(who, sale, {1: 2}, key=f"{sale}-1")
    assert said.status_code == 200, said.text
    found = said.json()
    withheld = {"points": 40, "value": 80, "currency": "JPY", "minor_units": 0}
    assert found["withheld"] == dry["withheld"] == withheld
    assert found["taken_back"]["points"] == 10
    assert dry["event_ids"] == []
    (event_id,) = found["event_ids"]
    seen = shop.points(who, min_position=f"event:{event_id}")
    assert (seen["balance"], seen["debt"]) == (0, 0)
    assert shop.asks(who, sale, {1: 2}, key=f"{sale}-1").text == said.text
    rest = shop.asks(who, sale, {1: 2}, policy="go_negative").json()
    assert (rest["taken_back"]["debt"], rest["withheld"]["points"]) == (50, 0)
    shop.until(lambda: shop.points(who)["debt"] == 50)


def test_no_more_comes_back_than_was_sold_and_only_from_its_member(shop: Program) -> None:
    who, sale = bought(shop, 30, units=3)
    assert shop.asks(who, sale, {1: 2}).status_code == 200
    assert no(shop.asks(who, sale, {1: 2}), "more-than-sold")["returnable"] == 1
    assert no(shop.asks(who, sale, {2: 1}), "no-such-line")["line_no"] == 2
    no(shop.asks(uuid4(), sale, {1: 1}), "profile-not-found", 404)
    no(shop.asks(who, uuid4(), {1: 1}), "purchase-not-found", 404)
    guest = shop.sells(None, [("tea", 1, 100)])
    shop.until(lambda: shop.asks(who, guest, {1: 1}, dry_run=True).status_code == 409)
    no(shop.asks(who, guest, {1: 1}), "no-owner")
    twice = {"line_no": 1, "quantity": 1}
    body = {"transaction_id": str(sale), "profile_id": str(who), "lines": [twice, twice]}
    no(shop.post(RETURNS, body), "unprocessable-entity", 422)
    assert shop.asks(who, sale, {1: 1}).status_code == 200


def test_the_return_itself_takes_nothing_twice(shop: Program) -> None:
    who, sale = bought(shop, 40, units=4)
    assert shop.asks(who, sale, {1: 3}).json()["taken_back"]["points"] == 30
    shop.brings(who, sale, {1: 3})
    shop.brings(who, sale, {1: 1})
    shop.until(lambda: shop.stored(who) == 0)
    assert shop.kinds(who) == {"earned": 40, "reversed": -40}


def test_points_that_paid_go_back_by_line_to_their_lots_or_live_for_the_days_of_grace(
    shop: Program,
) -> None:
    shop.sets(
        {**ONE_IN_TEN, "grace": {"min_days_after_refund": 30}}, 399, "grace"
    )  # fmt: skip
    soon = shop.now() + DAY
    who = shop.earned(60, expires_at=soon)
    shop.earned(60, who, expires_at=soon + 400 * DAY)
    sale = shop.sells(who, [("tea", 2, 0), ("cup", 1, 100)])
    shop.until(lambda: shop.stored(who) == 130)
    shop.redeem(who, 80, transaction_id=str(sale))
    shop.until(lambda: shop.stored(who) == 50)
    first = shop.asks(who, sale, {1: 1}).json()
    assert first["given_back"]["points"] == 0, "that line cost nothing"
    back = shop.asks(who, sale, {1: 1, 2: 1}).json()["given_back"]
    assert back["points"] == 80
    assert [one["points"] for one in back["graced"]] == [60]
    assert [one["points"] for one in back["allocations"]] == [20]
    shop.until(lambda: shop.stored(who) == 120)
    shop.until(lambda: shop.points(who)["held"] == 0)  # read a moment before its fact was
    ends = {lot["expires_at"]: lot["points"] for lot in shop.points(who)["lots"]}
    assert sorted(ends.values()) == [60, 60]
    assert back["graced_until"][:19] in {end[:19] for end in ends if end}


def test_what_a_till_gave_is_taken_back_by_the_same_rules(shop: Program) -> None:
    who, at = uuid4(), shop.now() - 500 * DAY
    sale = shop.sells(who, [("tea", 2, 1_000), ("cup", 1, 500)], at=at)
    lots = [
        EarnedLot(lot_id=uuid4().bytes, points=20, line_no=1),
        EarnedLot(lot_id=uuid4().bytes, points=15),
    ]
    shop.append("PointsEarned", profile_id=who.bytes, lots=lots, transaction_id=sale.bytes, at=at)
    shop.until(lambda: shop.stored(who) == 35)
    shop.until(lambda: shop.asks(who, sale, {1: 1}, dry_run=True).status_code == 200)
    said = shop.asks(who, sale, {1: 1}).json()["taken_back"]
    assert said["points"] == 15, "half of the line's, and a third of what no line is named for"
    assert shop.asks(who, sale, {1: 1, 2: 1}).json()["taken_back"]["points"] == 20
    shop.until(lambda: shop.stored(who) == 0)


def test_of_many_who_bring_the_same_unit_one_does(shop: Program) -> None:
    who, sale = bought(shop, 50)
    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda _: shop.asks(who, sale, {1: 1}).status_code, range(60)))
    assert sorted(said) == [200] + [409] * 59
    shop.until(lambda: shop.stored(who) == 0)


def test_what_is_on_its_way_out_is_not_promised_again(shop: Program) -> None:
    who, sale = bought(shop, 70)
    assert shop.asks(who, sale, {1: 1}).json()["taken_back"]["points"] == 70
    assert shop.hold(who, 1).status_code == 409


def test_decisions_see_each_other_while_nothing_is_applied(shop: Program) -> None:
    who, sale = bought(shop, 70, units=7)
    shop.projector.send_signal(signal.SIGSTOP)
    try:
        parts = [shop.asks(who, sale, {1: units}).json()["taken_back"] for units in (3, 4)]
        assert [part["points"] for part in parts] == [30, 40]
        no(shop.asks(who, sale, {1: 1}), "more-than-sold")
        no(shop.hold(who, 1), "insufficient-points")
    finally:
        shop.projector.send_signal(signal.SIGCONT)
    shop.until(lambda: shop.stored(who) == 0)
    shop.earned(1, who)
    assert shop.hold(who, 1).status_code == 201, "applied, and held all the same"
    shop.quiet(0)
    assert shop.road.sql(
        "select client from points_hold where profile_id = %s", who
    ) == [("ec",)]  # fmt: skip
