"""Do a program's rules give for every sale what they say, once, in whatever order it is told?"""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from projections.core.instants import DAY, instant
from schemas.generated.events.parts import Meta, Producer, PurchaseLine
from schemas.topics import TOPICS
from schemas.wire import codec
from tests.infra.test_topics import widen
from tests.services.points.drawn_log import DAYS, members_of, tell
from tests.services.points.program import ONE_IN_TEN, Program, program
from tests.services.rebuild.trade import forget

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]
TRIED: dict[str, Any] = {
    "earn": [
        {"ranks": ["gold"], "points": 5, "per": 100},
        {"channels": ["EC"], "categories": ["drinks"], "points": 3, "per": 100},
        {"points": 1, "per": 100},
    ],
    "rounding": "half_up",
    "rates": {"USD": "150.25", "KWD": "489.5"},
    "return_policy": "go_negative",
    "ranks": {"months": 2, "ladder": [{"name": "gold", "spent": 150_000}]},
}
BARCODE = "2000000000916"
DECIDED = """
select transaction_id::text, sum(points)::int from points_decided where program_id = 'tried'
group by 1 having sum(points) <> 0
"""
BALANCES = """
select profile_id::text, sum(points)::int from point_entry where program_id = 'tried'
group by 1 having sum(points) <> 0
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with program(tmp_path_factory.mktemp("accrual")) as own:
        own.sets(ONE_IN_TEN)
        yield own


def test_each_line_earns_a_lot_by_the_rules_and_units_that_come_back_take_their_part(
    shop: Program,
) -> None:
    who = uuid4()
    sale = shop.sells(who, [("tea", 3, 1_000), ("cup", 1, 59)])
    shop.until(lambda: shop.kinds(who) == {"earned": 105})
    lots = shop.points(who)["lots"]
    assert sorted((lot["line_no"], lot["points"]) for lot in lots) == [(1, 100), (2, 5)]
    assert {lot["transaction_id"] for lot in lots} == {str(sale)}
    shop.brings(who, sale, {1: 1})
    shop.until(lambda: shop.kinds(who) == {"earned": 105, "reversed": -34})
    shop.brings(who, sale, {1: 2, 2: 1})
    shop.until(lambda: shop.stored(who) == 0)
    entries = shop.read(f"/v1/members/{who}/points/entries")
    assert {entry["rule_version"] for entry in entries if entry["kind"] == "earned"} == {"1"}


def test_an_old_verdict_stands_until_it_is_judged_again_and_then_by_events(shop: Program) -> None:
    """A return without the card, which an older release did not connect with its sale."""
    who, at = uuid4(), shop.now()
    sale = shop.sells(who, [("tea", 2, 1_000)], at=at)
    shop.until(lambda: shop.kinds(who) == {"earned": 100})
    with _not_followed(shop):
        shop.brings(None, sale, {1: 1})
        known = "select 1 from sale where transaction_id = %s and documents like '%%\"return\"%%'"
        shop.until(lambda: shop.road.sql(known, sale))
    since = datetime.fromtimestamp(at / 1_000_000 - 1, UTC).isoformat()
    shop.road.env["HITOTSU_ACCRUAL"] = "rules"
    dry = shop.road.verb("points", "rejudge", "--since", since, "--dry-run")
    (would,) = dry["balances"]
    points = [would[side]["balance"] for side in ("before", "after")]
    assert (would["profile_id"], points) == (str(who), [100, 50])
    (event,) = would["events"]
    assert (event["event_type"], event["points"]) == ("PointsReversed", -50)
    assert event["transaction_id"] == str(sale)
    assert shop.kinds(who) == {"earned": 100}, "a dry run stores nothing"
    assert shop.road.sql("select 1 from points_awaited where profile_id = %s", who) == []
    assert shop.road.verb("points", "rejudge", "--since", since)["balances"] == [would]
    shop.until(lambda: shop.kinds(who) == {"earned": 100, "reversed": -50})
    assert shop.road.verb("points", "rejudge", "--since", since)["balances"] == []
    sent = shop.road.sql("select record_value from outbox where topic = 'commerce.points'")
    reversals = [
        event for (value,) in sent if (event := codec.decode(value)).NAME != "PointsEarned"
    ]
    (found,) = [one for one in reversals if one.profile_id == who.bytes]
    assert str(UUID(bytes=found.meta.correlation_id)) == dry["correlation_id"]


@contextmanager
def _not_followed(shop: Program) -> Iterator[None]:
    """What is applied meanwhile is followed, and no sale becomes due because of it."""
    commands = shop.road.last("commands")
    commands.send_signal(signal.SIGTERM)
    commands.wait(20)
    yield
    shop.road.sql(
        "update points_cursor p set next_offset = c.next_offset from checkpoint c"
        " where (c.topic, c.partition) = (p.topic, p.partition)"
    )
    shop.again()
    shop.wait()


def test_a_return_may_come_before_its_sale(shop: Program) -> None:
    who, sale = uuid4(), uuid4()
    shop.brings(who, sale, {1: 1})
    shop.append("PurchaseVoided", transaction_id=uuid4().bytes, profile_id=who.bytes)
    shop.sells(who, [("tea", 2, 1_000)], sale)
    shop.until(lambda: shop.kinds(who) == {"earned": 100, "reversed": -50})


def test_a_tills_sale_loses_its_points_when_its_order_turns_out_to_have_been_handed_over(
    shop: Program,
) -> None:
    """The till's sale is judged first, then the order arrives, and last that it was handed over."""
    who, order = uuid4(), uuid4()
    placed = shop.now()
    sale = shop.sells(
        who,
        [("tea", 1, 1_000)],
        order_id=order.bytes,
        location_id="S001",
        at=placed + 2,
    )
    shop.until(lambda: shop.kinds(who) == {"earned": 100})
    line = PurchaseLine(
        line_no=1, sku="tea", quantity=1, unit_price=1_000, net_paid=1_000, fulfilment="PICKUP"
    )
    shop.append(
        "PurchaseCompleted", transaction_id=order.bytes, profile_id=uuid4().bytes, lines=[line],
        total=1_000, location_id="S001", order_id=None, at=placed,
    )  # fmt: skip
    shop.append(
        "OrderLineHandedOver", order_id=order.bytes, line_no=1, sku="tea", location_id="S001",
        quantity=1, at=placed + 1,
    )  # fmt: skip
    shop.until(lambda: shop.kinds(who) == {"earned": 100, "adjusted": -100})
    assert [lot["transaction_id"] for lot in shop.points(who)["lots"]] in ([], [str(sale)])


def test_a_guests_sale_earns_when_it_is_claimed(shop: Program) -> None:
    who, other, late = uuid4(), uuid4(), uuid4()
    kept = shop.sells(None, [("tea", 1, 500)])
    sale = shop.sells(None, [("tea", 1, 500)])
    for claimed, by, treatment in (
        (kept, other, "NONE"), (kept, who, "RECALCULATE"), (sale, who, "RECALCULATE"),
    ):  # fmt: skip
        shop.append("PurchaseAttributed", transaction_id=claimed.bytes, profile_id=by.bytes,
                    points_treatment=treatment)  # fmt: skip
    shop.until(lambda: shop.kinds(who) == {"earned": 50})
    shop.append(
        "PurchaseAttributed", transaction_id=sale.bytes, profile_id=late.bytes,
        points_treatment="MOVE", at=0,
    )  # fmt: skip
    shop.brings(None, sale, {1: 1})
    shop.until(lambda: shop.kinds(who) == {"earned": 50, "reversed": -50})
    assert (shop.kinds(other), shop.kinds(late)) == ({}, {})


def test_points_spent_on_what_comes_back_return_to_their_lot(shop: Program) -> None:
    who = shop.earned(80)
    sale = shop.sells(who, [("tea", 1, 80)])
    shop.until(lambda: shop.kinds(who).get("earned") == 88)
    assert shop.redeem(who, 80, transaction_id=str(sale)).status_code == 200
    shop.until(lambda: shop.kinds(who).get("redeemed") == -80)
    shop.brings(who, sale, {1: 1})
    shop.until(lambda: shop.kinds(who).get("reinstated") == 80)
    assert shop.points(who)["balance"] == 80


def test_rules_that_come_late_correct_what_was_sold_under_them(shop: Program) -> None:
    who = uuid4()
    sale = shop.sells(who, [("tea", 2, 1_000), ("pot", 1, 1)])
    shop.until(lambda: shop.kinds(who) == {"earned": 100})
    shop.brings(who, sale, {1: 1})
    shop.until(lambda: shop.stored(who) == 50)
    at = shop.road.sql("select occurred_at from sale where transaction_id = %s", sale)
    days = (shop.now() - at[0][0]) / DAY
    shop.sets({"earn": [{"points": 30, "per": 100}]}, days + 1, "campaign")
    shop.until(lambda: shop.kinds(who).get("adjusted") == 100)
    reasons = shop.road.sql(
        "select count(*) from point_entry where profile_id = %s and kind = 'adjusted'", who
    )
    assert reasons == [(1,)]
    shop.brings(who, sale, {1: 1})
    shop.until(lambda: shop.stored(who) == 0)
    shop.sets(ONE_IN_TEN, days + 0.5, "after")
    shop.quiet(1)
    assert shop.stored(who) == 0


def test_an_item_that_is_described_late_is_judged_as_what_it_is(shop: Program) -> None:
    who, sku, at = uuid4(), f"gift-{uuid4()}", shop.now()
    rules = {"earn": [{"categories": ["gift-card"], "points": 1, "per": 100}, *ONE_IN_TEN["earn"]]}
    shop.sets(rules, 0.01, "gift cards earn less")
    sold = [(sku, 1, 1_000), (BARCODE, 1, 1_000)]
    shop.sells(who, sold, at=at)
    shop.until(lambda: shop.kinds(who) == {"earned": 200})
    what, since = {"sku": sku, "category": "gift-card"}, at - 900 * DAY
    shop.append("ItemDescribed", **what, valid_from=since, barcodes=[BARCODE])
    shop.until(lambda: shop.kinds(who) == {"earned": 200, "adjusted": -180})
    shop.sells(who, sold, at=at)
    shop.until(lambda: shop.kinds(who) == {"earned": 220, "adjusted": -180})


def test_what_was_sold_before_the_rules_or_under_a_tills_is_left_alone(shop: Program) -> None:
    who, day = uuid4(), shop.now() - 500 * DAY
    shop.sets(ONE_IN_TEN, 600, "the tills earn", accrual="PRODUCER")
    sales = [shop.sells(who, [("tea", 1, 1_000)], at=at) for at in (day, day - 200 * DAY)]
    later = shop.sells(who, [("tea", 1, 1_000)])
    shop.until(lambda: shop.kinds(who) == {"earned": 100})
    shop.brings(who, sales[0], {1: 1})
    last = shop.sells(who, [("tea", 1, 100)])
    shop.until(lambda: shop.kinds(who) == {"earned": 110})
    decided = "select count(*)::int from points_decided where transaction_id = any(%s)"
    assert shop.road.sql(decided, sales) == [(0,)], "a till's sales were judged"
    assert shop.road.sql(decided, [later, last]) == [(2,)]
    shop.sets(ONE_IN_TEN, 600, "they did not after all")
    shop.until(lambda: shop.kinds(who) == {"earned": 210, "reversed": -100})


def test_ranks_are_by_what_was_spent_in_the_months_before(shop: Program) -> None:
    who, now = uuid4(), shop.now()
    ladder = [{"name": "gold", "spent": 5_000}]
    gold = {"ranks": ["gold"], "points": 50, "per": 100}
    shop.sets(
        {"earn": [gold, *ONE_IN_TEN["earn"]], "ranks": {"months": 3, "ladder": ladder}},
        100, "ranks",
    )  # fmt: skip
    first = shop.sells(who, [("tea", 2, 10_000)], at=now - 70 * DAY)
    shop.until(lambda: shop.kinds(who) == {"earned": 1_000})
    shop.sells(who, [("tea", 1, 100)], at=now - 20 * DAY)
    shop.until(lambda: shop.kinds(who) == {"earned": 1_050})
    shop.brings(who, first, {1: 2})
    shop.until(lambda: shop.stored(who) == 50)
    shop.sells(who, [("tea", 1, 100)], at=now - 19 * DAY)
    shop.until(lambda: shop.stored(who) == 60)


SILVER_AND_GOLD = {
    "earn": [
        {"ranks": ["gold"], "points": 50, "per": 100},
        {"ranks": ["silver"], "points": 20, "per": 100},
        *ONE_IN_TEN["earn"],
    ],
    "ranks": {
        "months": 3,
        "ladder": [{"name": "silver", "spent": 3_000}, {"name": "gold", "spent": 9_000}],
    },
}


def test_a_rank_counts_what_was_bought_before_and_is_applied_after(shop: Program) -> None:
    who, now = uuid4(), shop.now()
    shop.sets(SILVER_AND_GOLD, 50, "ranks and late sales")
    shop.sells(who, [("tea", 1, 1_000)], at=now - 5 * DAY)
    shop.until(lambda: shop.kinds(who) == {"earned": 100})
    shop.sells(who, [("tea", 1, 4_000)], at=now - 40 * DAY)
    shop.until(lambda: shop.kinds(who) == {"earned": 500, "adjusted": 100})
    first = shop.sells(who, [("tea", 1, 6_000)], at=now - 40 * DAY)
    shop.until(lambda: shop.kinds(who) == {"earned": 1_100, "adjusted": 400})
    shop.brings(who, first, {1: 1})
    shop.until(lambda: shop.kinds(who).get("reversed") == -600)
    assert shop.kinds(who)["adjusted"] == 400, "what is returned later undoes no rank"


def test_a_guests_sale_counts_for_the_rank_of_who_claims_it(shop: Program) -> None:
    who, now = uuid4(), shop.now()
    shop.sets(SILVER_AND_GOLD, 49, "ranks and claims")
    shop.sells(who, [("tea", 1, 1_000)], at=now - 5 * DAY)
    shop.until(lambda: shop.kinds(who) == {"earned": 100})
    for paid, treatment in ((9_000, "NONE"), (6_000, "RECALCULATE")):
        sale = shop.sells(None, [("tea", 1, paid)], at=now - 40 * DAY)
        shop.append("PurchaseAttributed", transaction_id=sale.bytes, profile_id=who.bytes,
                    points_treatment=treatment)  # fmt: skip
    shop.until(lambda: shop.kinds(who) == {"earned": 700, "adjusted": 100})
    shop.sells(who, [("tea", 1, 1_000)], at=now - 1 * DAY)
    shop.until(lambda: shop.kinds(who) == {"earned": 900, "adjusted": 100})
    shop.brings(None, sale, {1: 1})
    shop.until(lambda: shop.kinds(who).get("reversed") == -600)
    shop.sells(who, [("tea", 1, 2_000)], at=now - 1 * DAY)
    shop.until(lambda: shop.kinds(who)["earned"] == 1_100)


def test_a_sale_that_cannot_be_judged_stands_in_nobodys_way(shop: Program) -> None:
    who, at = uuid4(), shop.now()
    producer = Producer(system="crm", channel="CALL_CENTRE")
    absurd = {"channels": ["CALL_CENTRE"], "points": 1_000_000, "per": 1}
    shop.sets({"earn": [absurd, *ONE_IN_TEN["earn"]]}, 0.005, "absurd")
    meta = Meta(event_id=uuid4().bytes, occurred_at=at, producer=producer)
    sale = shop.sells(who, [("tower", 1, 10**15)], meta=meta)
    shop.until(lambda: shop.road.sql(
        "select 1 from points_due where transaction_id = %s and failed is not null", sale
    ))  # fmt: skip
    shop.sells(who, [("tea", 1, 1_000)], at=at)
    shop.until(lambda: shop.kinds(who) == {"earned": 100})
    shop.sets(ONE_IN_TEN, 0.004, "mended")
    shop.until(lambda: shop.kinds(who) == {"earned": 100 + 10**14})


def test_killed_between_two_batches_it_goes_on_where_it_was(shop: Program) -> None:
    people = [uuid4() for _ in range(40)]
    before = shop.road.sql("select coalesce(sum(next_offset), 0)::int from checkpoint"
                           " where topic = 'commerce.purchases'")[0][0]  # fmt: skip
    for _ in range(3):
        for who in people:
            shop.sells(who, [("tea", 1, 1_000)], flush=False)
        shop.flush()
        shop.road.last("commands").send_signal(signal.SIGKILL)
        shop.road.last("commands").wait()
        shop.again()
    shop.wait()
    shop.quiet(before + 120)
    (found,) = shop.road.sql(
        "select count(*), count(distinct transaction_id), min(points) from point_entry"
        " where profile_id = any(%s)", people,
    )  # fmt: skip
    assert found[:2] == (120, 120)


def test_rules_that_cannot_be_read_leave_the_last_ones_in_force(shop: Program) -> None:
    who = uuid4()
    shop.sets(ONE_IN_TEN, 0.002, "can be read")
    shop.sets({"earn": "much"}, 0.001, "cannot be read")
    sale = shop.sells(who, [("tea", 1, 1_000)], at=shop.now())
    shop.until(lambda: shop.kinds(who) == {"earned": 100})
    shop.brings(who, sale, {1: 1})
    shop.until(lambda: shop.kinds(who) == {"earned": 100, "reversed": -100})


def test_rules_tried_on_the_log_are_what_a_stack_with_them_from_the_start_earned(
    shop: Program, tmp_path: Path
) -> None:
    """By sale and by member; some members are in another program, whose sales are not tried."""
    file, members = tmp_path / "rules.json", members_of()
    file.write_text(json.dumps(TRIED))
    shop.append("ItemDescribed", sku="tea", category="drinks", valid_from=0)
    shop.sets(TRIED, program_id="tried")
    for who, club in zip(members, ["club"] * 4 + ["tried"] * len(members), strict=False):
        joined = shop.now() - (DAYS + 2) * DAY
        shop.append("ProgramJoined", profile_id=who.bytes, program_id=club, at=joined)
    known = "select count(*)::int from program_membership"
    shop.until(lambda: shop.road.sql(known) == [(len(members),)])
    before = shop.road.sql("select coalesce(sum(next_offset), 0)::int from checkpoint"
                           " where topic = 'commerce.purchases'")[0][0]  # fmt: skip
    log = tell(shop, members)
    shop.quiet(before + log.records)
    earned, left = dict(shop.road.sql(DECIDED)), dict(shop.road.sql(BALANCES))
    assert len(earned) > 40 and len(left) == len(members) - 4

    shop.sets(ONE_IN_TEN, version="2", days_ago=399, program_id="tried")
    shop.until(lambda: dict(shop.road.sql(BALANCES)) != left)
    shop.quiet(before + log.records)
    asked = (str(file), "--program", "tried", "--since", instant(log.since).isoformat())
    found = shop.road.verb("points", "rules", "try", *asked)
    kept: Counter[str] = Counter()
    for one in found["each"]:
        kept[one["profile_id"]] += one["kept"]
    sales = {one["transaction_id"]: one["points"] for one in found["each"] if one["points"]}
    assert (sales, +kept) == (earned, left)
    assert (found["points"], found["kept"]) == (sum(earned.values()), sum(left.values()))
    assert set(found["not_converted"]) == {"EUR"}
    assert {one["rank"] for one in found["each"]} == {None, "gold"}
    assert shop.road.verb("points", "rules", "try", *asked) == found, "trying stores nothing"


def test_sales_of_a_partition_that_was_added_while_it_ran_earn_as_all_others_do(
    shop: Program,
) -> None:
    topic, before = "commerce.purchases", TOPICS["commerce.purchases"].partitions
    asyncio.run(widen(shop.road.endpoints.kafka, topic, before + 1))
    forget(shop.road.endpoints.kafka)  # the kept producer knows the partitions of before
    shop.projector.send_signal(signal.SIGTERM)  # it would look for partitions within ten seconds
    shop.projector.wait(15)
    shop.projector = shop.road.start("projector")
    customers = [uuid4() for _ in range(80)]
    for who in customers:
        shop.sells(who, [("tea", 1, 500)], flush=False)
    shop.flush()
    in_new = "select next_offset from checkpoint where topic = %s and partition = %s"
    shop.until(lambda: shop.road.sql(in_new, topic, before))
    earned = "select count(*) from point_entry where profile_id = any(%s) and kind = 'earned'"
    shop.until(lambda: shop.road.sql(earned, customers)[0][0] == 80)
    assert shop.road.sql(in_new, topic, before)[0][0] > 0  # some of them are there
