"""Do goods that come back leave nobody richer, and nothing but history when all have come back?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.points.program.rules import EarningRules, ReturnPolicy
from tests.drawn import examples
from tests.services.points.member import DAY, Member

POLICIES: list[ReturnPolicy] = [
    "pending_only", "within_balance", "go_negative", "withhold_from_refund",
]  # fmt: skip


def member(policy: ReturnPolicy = "within_balance", **more: Any) -> Member:
    earn = more.pop("earn", [{"points": 10, "per": 100}])
    return Member(EarningRules.model_validate({"earn": earn, "return_policy": policy, **more}))


def test_a_third_of_a_line_takes_a_third_and_the_rest_comes_to_the_whole() -> None:
    who = member()
    sale = who.buys([(3, 1_000)])
    assert who.sum == 100
    assert [who.brings(sale, {1: 1}).taken.points for _ in range(3)] == [34, 33, 33]  # type: ignore[union-attr]
    assert who.sum == 0


def test_a_return_before_its_sale_ends_where_one_after_it_does() -> None:
    early, late = member(), member()
    for who in (early, late):
        sale = who.buys([(2, 500), (4, 1_000)])
    late.brings(sale, {1: 1, 2: 3})
    other = member()
    other.sales[sale] = late.sales[sale]
    other.judge(sale)
    assert other.sum == late.sum
    kinds = Counter(entry["kind"] for entry in other.entries)
    assert kinds == {"earned": 2, "reversed": 2}


def test_pending_points_are_taken_first_and_whatever_the_policy() -> None:
    for policy in POLICIES:
        who = member(policy, pending_days=14)
        sale = who.buys([(2, 1_000)])
        taken = who.asks(sale, {1: 1}).taken
        assert taken is not None
        assert (taken.pending, taken.active, taken.points) == (50, 0, 50)


@pytest.mark.parametrize(
    ("policy", "points", "other", "debt", "withheld", "forgiven"),
    [
        ("pending_only", 0, 0, 0, 0, 100),
        ("within_balance", 80, 60, 0, 0, 20),
        ("go_negative", 100, 60, 20, 0, 0),
        ("withhold_from_refund", 20, 0, 0, 80, 0),
    ],
)
def test_what_was_spent_follows_the_policy(
    policy: ReturnPolicy, points: int, other: int, debt: int, withheld: int, forgiven: int
) -> None:
    who = member(policy)
    sale = who.buys([(1, 1_000)])
    who.buys([(1, 80)], 80)
    who.has(60)
    taken = who.asks(sale, {1: 1}).taken
    assert taken is not None
    assert (taken.points, taken.other, taken.debt) == (points, other, debt)
    assert (taken.withheld, taken.forgiven, taken.due) == (withheld, forgiven, 100)
    assert who.account().balance == 80 - points
    assert who.account().debt == debt


def test_what_a_sale_earned_and_was_paid_with_itself_is_not_missed() -> None:
    who = member("withhold_from_refund")
    sale = who.buys([(2, 1_000)])
    who.spends(100, sale)
    found = [who.asks(sale, {1: 1}) for _ in range(2)]
    assert [one.given.points for one in found] == [50, 50]
    assert [one.taken.points for one in found if one.taken] == [50, 50]
    assert (who.sum, who.withheld) == (0, 0)


def test_a_debt_is_repaid_by_what_is_earned_next() -> None:
    who = member("go_negative")
    sale = who.buys([(1, 1_000)])
    who.buys([(1, 100)], 100)
    who.asks(sale, {1: 1})
    assert (who.account().balance, who.account().available) == (-100, 0)
    who.buys([(1, 1_500)])
    assert (who.account().debt, who.account().available) == (0, 50)


def test_spent_points_go_back_to_the_lots_they_came_from_with_their_expiry() -> None:
    who = member(earn=[])
    soon, late = who.now + 10 * DAY, who.now + 90 * DAY
    who.has(30, soon)
    who.has(50, late)
    sale = who.buys([(2, 500), (1, 500)], 60)
    first = who.asks(sale, {1: 1}).given
    assert [points for _, points in first.lots] == [15]
    who.asks(sale, {1: 1, 2: 1})
    assert {lot.expires_at: lot.left for lot in who.account().lots} == {soon: 30, late: 50}


def test_what_has_ended_meanwhile_lives_for_the_days_of_grace() -> None:
    who = member(earn=[], grace={"min_days_after_refund": 30})
    who.has(30, who.now + 10 * DAY)
    sale = who.buys([(1, 500)], 30)
    who.now += 20 * DAY
    back = who.asks(sale, {1: 1}).given
    assert back.graced_until is not None
    assert who.now + 29 * DAY < back.graced_until <= who.now + 30 * DAY
    assert who.account().available == 30
    who.now = back.graced_until
    assert who.account().available == 0


def test_without_grace_they_come_back_as_ended_as_they_are() -> None:
    who = member(earn=[])
    who.has(30, who.now + 10 * DAY)
    sale = who.buys([(1, 500)], 30)
    who.now += 20 * DAY
    who.asks(sale, {1: 1})
    assert (who.sum, who.account().available, who.account().lapsed) == (30, 0, 30)


def test_points_that_ended_unspent_are_owed_by_nobody() -> None:
    who = member("go_negative", expiry={"kind": "months", "months": 1})
    sale = who.buys([(4, 1_000)])
    who.buys([(1, 30)], 30)
    who.now += 40 * DAY
    who.has(500)
    taken = [who.asks(sale, {1: 1}).taken for _ in range(4)]
    assert sum(one.lapsed for one in taken if one) == 70
    assert sum(one.other for one in taken if one) == 30
    assert who.account().balance == 470


def test_what_was_asked_for_is_not_taken_again_when_the_return_arrives() -> None:
    who = member()
    sale = who.buys([(2, 1_000)])
    who.asks(sale, {1: 1})
    told = len(who.facts)
    assert who.brings(sale, {1: 1}).facts == []
    assert who.judge(sale).facts == []
    assert len(who.facts) == told
    assert who.brings(sale, {1: 1}).taken is not None
    assert who.sum == 0


def test_points_spent_before_anybody_knew_are_given_back_when_it_is_known() -> None:
    who = member(earn=[])
    who.has(40)
    sale = who.buys([(1, 400)])
    who.brings(sale, {1: 1})
    who.spends(40, sale)
    assert who.judge(sale).given.points == 40
    assert who.judge(sale).facts == []
    assert who.sum == 40


def test_rules_that_come_late_are_a_correction_that_is_seen() -> None:
    who = member()
    sale = who.buys([(4, 1_000)])
    who.brings(sale, {1: 1})
    assert who.sum == 75
    who.rules = who.rules.model_copy(
        update={"earn": member(earn=[{"points": 3, "per": 10}]).rules.earn}
    )
    who.version = "2"
    (fact,) = who.judge(sale).facts
    assert (fact.NAME, fact.points) == ("PointsAdjusted", 150)  # type: ignore[union-attr]
    assert fact.reason == "rules 2 give 300 for line 1, 1 gave 100"  # type: ignore[union-attr]
    who.spends(200, who.buys([(1, 0)]))
    who.rules, who.version = member().rules, "3"
    assert sorted(one.points for one in who.judge(sale).facts) == [-125, -25]  # type: ignore[union-attr]
    assert who.account().debt == 125
    who.brings(sale, {1: 3})
    assert who.sum == -125


acts = st.lists(
    st.tuples(
        st.sampled_from(["buy", "pay", "ask", "bring", "again", "has", "wait"]),
        st.integers(0, 1 << 16),
    ),
    max_size=14,
)  # fmt: skip


@settings(
    max_examples=examples(300), deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
@given(
    policy=st.sampled_from(POLICIES[1:]), steps=acts, pending=st.sampled_from([0, 3]),
    grace=st.sampled_from([0, 40]), ends=st.sampled_from(["never", "months"]),
)  # fmt: skip
def test_whoever_buys_spends_and_brings_everything_back_has_what_there_was(
    policy: ReturnPolicy, steps: list[tuple[str, int]], pending: int, grace: int, ends: str
) -> None:
    expiry = {"kind": "never"} if ends == "never" else {"kind": "months", "months": 1}
    who = member(
        policy, pending_days=pending, grace={"min_days_after_refund": grace}, expiry=expiry
    )
    before = 0
    for act, number in steps:
        before += _step(who, act, number)
        assert who.sum <= before + _earned_by_what_stays(who) + who.withheld + who.forgiven
    assume(who.sales)
    for sale, left in [(one, who.left(one)) for one in who.sales]:
        who.asks(sale, left)
    assert who.sum == before + who.withheld - _lapsed(who) + who.forgiven
    if ends == "never":
        assert who.forgiven == 0, "forgiven, though what was spent came back"
    for sale in who.sales:
        assert who.judge(sale).facts == [], "decided again"


def _step(who: Member, act: str, number: int) -> int:
    """One thing that happens; what it adds to what the member had from before."""
    sales = list(who.sales)
    sale = sales[number % len(sales)] if sales else None
    if act == "has":
        who.has(number % 90 + 1)
        return number % 90 + 1
    if act == "wait":
        who.now += (number % 50) * DAY
    elif act == "buy":
        who.buys([(number % 3 + 1, number % 7_000), (number % 2 + 1, number % 900)])
    elif act == "pay":
        points = min(number % 300, who.account().available)
        who.buys([(number % 4 + 1, number % 5_000 + points)], points)
    elif sale is not None and act in ("ask", "bring"):
        units = {no: min(left, number % 3) for no, left in who.left(sale).items()}
        units = {no: many for no, many in units.items() if many}
        (who.asks if act == "ask" else who.brings)(sale, units)
    elif sale is not None and act == "again":
        assert who.judge(sale).facts == []
    return 0


def _earned_by_what_stays(who: Member) -> int:
    """At the most: by each line, all that it gave."""
    return sum(row.points for rows in who.decided.values() for row in rows.values())


def _lapsed(who: Member) -> int:
    """Nothing is written as expired here, so nothing is missing from the sum for it."""
    return sum(row.lapsed for rows in who.decided.values() for row in rows.values())
