"""Does a verification find what was changed by hand, name what is behind it, and nothing else?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.services.rebuild.road import Road, road
from tests.services.rebuild.trade import Trade

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
EVENTS = 4_000
PLACE = re.compile(r"commerce\.[a-z-]+-\d+@\d+")


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    with road(tmp_path_factory.mktemp("verify")) as own:
        own.start("projector")
        own.send(Trade(1).records(EVENTS))
        own.settle(EVENTS)
        yield own


def named(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["where"], one["table"]) for one in report["differences"]}


def test_what_the_projector_made_is_what_the_log_says(settled: Road) -> None:
    report = settled.verb("verify")
    assert report["differences"] == []
    assert report["events"] >= EVENTS
    tables = ("point_entry", "stock_cell", "sale", "inquiry", "member_group", "item")
    assert all(report["rows"][table] > 0 for table in (*tables, "stock_cell_change"))
    assert all(report["fields"][table] > 0 for table in ("point_entry", "stock_cell", "sale"))
    counted = settled.sql("select sum(duplicate), sum(dead_letter) from checkpoint")[0]
    assert all(many > 0 for many in counted), "no resend or no dead letter was judged"
    assert settled.sql("select count(*) from erased_subject")[0][0] > 0
    letters = "select count(*) from dead_letter where error_class = 'SameDocumentOtherContent'"
    assert all(settled.sql(f"select count(*) from {name}")[0][0] > 0 for name in (
        "duplicate_document", f"({letters}) l where count > 0"
    ))  # fmt: skip


def test_documents_that_were_changed_by_hand_are_named(settled: Road) -> None:
    ((copy, first),) = settled.sql(
        "delete from duplicate_document where event_id ="
        " (select min(event_id::text)::uuid from duplicate_document)"
        " returning event_id, duplicate_of"
    )
    ((event_id, content),) = settled.sql(
        "update ledger set content = content + 1 where event_id = (select min(event_id::text)::uuid"
        " from ledger where document is not null and event_id not in"
        " (select duplicate_of from duplicate_document)) returning event_id, content"
    )
    try:
        report = settled.verb("verify", code=1)
    finally:
        settled.sql("update ledger set content = content - 1 where event_id = %s", event_id)
    found = {(one["table"], one["key"][0]): one for one in report["differences"]}
    assert found["ledger", str(event_id)]["found"]["content"] == content
    assert found["duplicate_document", str(copy)]["expected"]["duplicate_of"] == str(first)
    assert {table for table, _ in found} == {
        "ledger", "duplicate_document", "duplicate_document rows"
    }  # fmt: skip
    lost = found["duplicate_document", str(copy)]["expected"]
    place, offset = lost["record"].split("@")
    topic, partition = place.rsplit("-", 1)
    settled.sql(
        "insert into duplicate_document select %s, %s, %s, no, %s, %s, %s, %s from topic"
        " where name = %s",
        copy, lost["hash"], lost["schema_id"], int(partition), int(offset), first,
        lost["profile_id"], topic,
    )  # fmt: skip


def test_one_row_and_one_field_changed_by_hand_are_both_named_and_nothing_else(
    settled: Road,
) -> None:
    ((event_id, points),) = settled.sql(
        "update point_entry set points = points + 1 where number = 0 and event_id ="
        " (select min(event_id::text)::uuid from point_entry) returning event_id, points"
    )
    key = min(settled.redis.scan_iter("h1:stock_cell:*:item-*"))
    field, held = min(settled.redis.hgetall(key).items())
    settled.redis.hset(key, field, held[:-1] + "1]")
    try:
        report = settled.verb("verify", code=1)
    finally:
        settled.redis.hset(key, field, held)
        settled.sql(
            "update point_entry set points = points - 1 where number = 0 and event_id = %s",
            event_id,
        )
    row, shown = report["differences"]
    assert (row["where"], row["table"]) == ("postgres", "point_entry")
    assert row["key"] == [str(event_id), "0"]
    assert (row["expected"]["points"], row["found"]["points"]) == (points - 1, points)
    item = key.rpartition(":")[2]
    assert (shown["where"], shown["table"], shown["key"]) == ("redis", "stock_cell", [item, field])
    for one, topics in ((row, {"points"}), (shown, {"purchases", "inventory"})):
        assert 0 < len(one["events"]) <= 10
        assert {PLACE.fullmatch(event["place"]) is not None for event in one["events"]} == {True}
        assert {event["place"].split(".")[1].split("-")[0] for event in one["events"]} <= topics
    event = row["events"][0]
    ((topic, partition, offset),) = settled.sql(
        'select name, partition, "offset" from ledger join topic on no = topic where event_id = %s',
        event["event_id"],
    )
    assert event["place"] == f"{topic}-{partition}@{offset}"
    assert settled.verb("verify")["total"] == 0


# each: what is done by hand, how it is undone, and what must be named
BY_HAND = {
    "a row gone": (
        "create table kept as select * from sale where owner_id is not null limit 1;"
        " delete from sale where transaction_id in (select transaction_id from kept)",
        "insert into sale select * from kept; drop table kept",
        {("postgres", "sale"), ("redis", "sale")},
    ),
    "a row too many": (
        "insert into purchase_claim (profile_id, transaction_id, claimed_at, row_version)"
        " values (gen_random_uuid(), gen_random_uuid(), 1, 1)",
        "delete from purchase_claim where claimed_at = 1",
        {("postgres", "purchase_claim"), ("redis", "purchase_claim")},
    ),
    "a ledger's row too many": (
        "create table kept as select * from stock_cell_change order by event_id limit 1;"
        " update kept set event_id = gen_random_uuid();"
        " insert into stock_cell_change select * from kept",
        "delete from stock_cell_change where event_id in (select event_id from kept);"
        " drop table kept",
        {("postgres", "stock_cell_change")},
    ),
    "an applied event forgotten": (
        "create table kept as select * from ledger order by event_id limit 1;"
        " delete from ledger where event_id in (select event_id from kept)",
        "insert into ledger select * from kept; drop table kept",
        {("engine", "ledger"), ("engine", "ledger rows")},
    ),
    "counts that do not tell the truth": (
        "update checkpoint set applied = applied + 1, duplicate = duplicate - 1"
        " where topic = 'commerce.points' and duplicate > 0",
        "update checkpoint set applied = applied - 1, duplicate = duplicate + 1"
        " where topic = 'commerce.points' and applied > (select count(*) from ledger l"
        " join topic t on t.no = l.topic"
        " where t.name = checkpoint.topic and l.partition = checkpoint.partition)",
        {("engine", "checkpoint"), ("engine", "ledger rows")},
    ),
    "a dead letter gone": (
        "create table kept as select id, grps from dead_letter order by id limit 1;"
        " update dead_letter set grps = '{}' where id in (select id from kept)",
        "update dead_letter d set grps = k.grps from kept k where k.id = d.id; drop table kept",
        {("engine", "dead_letter")},
    ),
    "a person's name kept after all": (
        "update profile set name = '\\x00' where erased_at is not null and profile_id ="
        " (select min(profile_id::text)::uuid from profile where erased_at is not null)",
        "update profile set name = null where erased_at is not null",
        {("postgres", "profile")},
    ),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_whatever_was_done_by_hand_is_named(settled: Road, what: str) -> None:
    done, undone, expected = BY_HAND[what]
    settled.sql(done)
    try:
        report = settled.verb("verify", code=1)
    finally:
        settled.sql(undone)
    assert named(report) <= expected
    assert named(report) & {one for one in expected if one[0] != "redis"}


def test_a_projection_can_be_verified_alone(settled: Road) -> None:
    report = settled.verb("verify", "inquiry_history")
    assert set(report["rows"]) == {"inquiry", "inquiry_merge", "inquiry_message"}
    assert report["differences"] == []
    assert report["events"] < EVENTS


def test_a_set_is_its_projections_and_every_invariant_for_every_key(settled: Road) -> None:
    clean = settled.verb("verify", "stock")
    assert clean["projections"] == ["shared_stock"]
    assert clean["differences"] == []
    assert clean["tested"]["stock_recomputed"] == clean["rows"]["stock_cell"] > 0
    ((sku, place, units),) = settled.sql(
        "update stock_cell set committed = committed + 5 where (sku, location_id) ="
        " (select sku, location_id from stock_cell order by 1, 2 offset 7 limit 1)"
        " returning sku, location_id, committed"
    )
    hold = (
        "insert into stock_hold (id, sku, location_id, quantity, channel, client, state,"
        " expires_at) values (%s, 'item', 'W1', 1, 'EC', 'ec', 'applied', now())"
    )
    reservation = "00000000-0000-4000-8000-00000000000a"
    settled.sql(hold, reservation)
    try:
        report = settled.verb("verify", "stock", code=1)
    finally:
        settled.sql("delete from stock_hold where id = %s", reservation)
        settled.sql(
            "update stock_cell set committed = committed - 5 where sku = %s and location_id = %s",
            sku, place,
        )  # fmt: skip
    found = {(one["where"], one["table"], *one["key"]) for one in report["differences"]}
    assert found - {("redis", "stock_cell", sku, place)} == {
        ("postgres", "stock_cell", sku, place),
        ("invariant", "stock_recomputed", sku, place),
        ("invariant", "stock_hold_resolved_twice", reservation),
        ("invariant", "committed_to_an_order", reservation),
    }
    (broken,) = (one for one in report["differences"] if one["table"] == "stock_recomputed")
    assert (broken["expected"]["committed"], broken["found"]["committed"]) == (units - 5, units)
    assert settled.verb("verify", "stock")["total"] == 0


def test_events_may_flow_meanwhile(settled: Road) -> None:
    process = settled.begin("verify", "--json")
    settled.send(Trade(2).records(2_000), rate=400)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, (out + errors).decode()
    assert settled.verb("verify")["total"] == 0
