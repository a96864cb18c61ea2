"""Is a group whose verdicts are wrong judged anew, while it is in use and whatever is killed?"""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from projections import discover
from services.rebuild.rejudge import Rejudge
from services.rebuild.run import Rebuild
from services.runtime.exit_codes import Exit
from services.verify.log import Log, LogUnreadable
from tests.forks import run
from tests.services.rebuild.rejudge_scene import (
    NAMES,
    Scene,
    decide,
    named,
    until,
    verified,
    wrong_places,
)
from tests.services.rebuild.resends import ITEMS, PEOPLE, told
from tests.services.rebuild.road import ROOT, TOKEN, road
from tests.services.rebuild.trade import Trade
from tests.services.rebuild.wrong_ledger import (
    Verdict,
    Written,
    balances,
    cells,
    changed,
    counts,
    write,
)

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]
BETWEEN = 1_200
GENERATION = "select generation from cache_generation"
MENDED_BY = "hitotsu rebuild --rejudge"
# where the work is killed: between its transactions, and within the one that swaps
POINTS = ("store:1", "store:9", "store:25", "compare:1", "count:1", "replace:1")


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with road(tmp_path_factory.mktemp("rejudge")) as own:
        said = told()
        own.send(said.records(BETWEEN))
        written = Written(own.endpoints.kafka, said.story)
        scene = Scene(own, said, written, {}, {})
        meets = said.names["meets"]
        ((topic, partition, _),) = scene.place("meets", said.story.applied[meets])
        scene.right = written.verdicts({meets: (topic, partition)})
        scene.before = write(own.settings, written)
        decide(scene)
        own.start("projector")
        until(lambda: own.sql("select 1 from checkpoint where owner is null") == [])
        own.settle(len(scene.before))
        yield scene


def test_verify_names_the_places_and_a_rebuild_leaves_them_wrong(wrong: Scene) -> None:
    expected = changed(wrong.before, wrong.right)
    assert len(expected) > 30
    assert len({at[:2] for at in expected}) > 8, "several partitions"
    # what Postgres cannot hold is known only once somebody tries
    expected |= set(wrong.place("unstorable"))
    expected -= {wrong.place("neither")[1]}
    first = verified(wrong)
    assert wrong_places(first) == named(wrong, expected)
    assert first.mends == MENDED_BY
    assert {"postgres point_entry", "postgres stock_cell"} <= set(first.counted)
    work = Rebuild(wrong.road.settings, discover(), NAMES)
    assert work.run(False, False, lambda step, done, whole: None).total == 0
    assert wrong_places(verified(wrong)) == wrong_places(first)


def test_what_cannot_be_done_is_refused_in_a_sentence(wrong: Scene) -> None:
    process = wrong.road.begin("rebuild", "--rejudge", "point_balance")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"--rejudge folds all projections" in errors
    assert b"Traceback" not in errors


def test_a_log_without_its_beginning_is_refused(wrong: Scene) -> None:
    kafka = wrong.road.endpoints.kafka
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic("cut", 1, 1)])["cut"].result()
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(5):
        producer.produce("cut", str(number))
    producer.flush()
    whole = Log(kafka, {("cut", 0): 0})
    whole.check_beginning()
    cut = TopicPartition("cut", 0, 3)
    admin.delete_records([cut])[cut].result()
    with pytest.raises(LogUnreadable, match="cut-0 begins at offset 3"):
        whole.check_beginning()
    whole.close()


def killed_at(scene: Scene, point: str) -> int:
    """A rejudging that kills itself by SIGKILL at a point; its status."""
    env = {**scene.road.env, "PYTHONPATH": str(ROOT)}
    process = run("tests.services.rebuild.kill_point", point, env=env)
    scene.killed = True
    assert process.returncode == -signal.SIGKILL, process.stderr[-2_000:]
    return process.returncode


def state(scene: Scene) -> list[Any]:
    """What a swap changes, and nothing else may."""
    return scene.road.sql(
        "select (select sum(applied * (partition + 1)) from checkpoint),"
        " (select sum(conflict) from checkpoint), (select max(epoch) from checkpoint),"
        " (select count(*) from dead_letter), (select sum(points) from point_entry),"
        " (select string_agg(state, ',') from points_hold)"
    )


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_it_has_changed_nothing(wrong: Scene, point: str) -> None:
    before = state(wrong)
    killed_at(wrong, point)
    assert state(wrong) == before


def test_killed_in_the_middle_it_has_changed_nothing(wrong: Scene) -> None:
    before = state(wrong)
    chance = random.Random()
    drawn = chance.choice(POINTS[:3]), chance.choice(POINTS[3:])
    for point in drawn:
        killed_at(wrong, point)
        assert state(wrong) == before, drawn


@pytest.fixture(scope="module")
def mended(wrong: Scene) -> Scene:
    """Judged anew while events flow; the projector was sent away, and is started again."""
    own, ending, sent = wrong.road, threading.Event(), list[int]()
    wrong.epochs = own.sql("select max(epoch) from checkpoint")
    wrong.generation = own.sql(GENERATION)
    flow = threading.Thread(
        target=lambda: sent.append(
            own.send(Trade(12, people=60, items=20).records(100_000), rate=300, end=ending)
        )
    )
    flow.start()
    try:
        wrong.report = own.verb("rebuild", "--rejudge")
        until(lambda: own.ended("projector"))
    finally:
        ending.set()
        flow.join(60)
    wrong.status = own.last("projector").returncode
    own.start("projector")
    until(lambda: own.sql("select 1 from checkpoint where owner is null") == [])
    own.settle(len(wrong.right) + sent[0])
    return wrong


def test_redis_is_left_where_holds_ended(mended: Scene) -> None:
    """Its position is beyond their facts already, and its rows are still without them."""
    assert mended.generation and mended.report["verdicts"]["holds_ended"]
    until(lambda: mended.road.sql(GENERATION) not in ([], mended.generation))


def test_it_swaps_while_events_flow_and_sends_the_projector_away(mended: Scene) -> None:
    own, report = mended.road, mended.report
    assert report["swapped"]
    assert report["resumed"] is mended.killed, "it goes on with what those that were killed left"
    changes = report["verdicts"]
    ids = {str(UUID(bytes=event_id)) for event_id in mended.told.story.applied}
    ids -= {str(UUID(bytes=mended.told.names["unstorable"]))}
    assert {change["event_id"] for change in changes["moved"]} == ids
    assert changes["holds_ended"] == 2
    assert min(changes["letters_withdrawn"], changes["letters_added"]) > 8
    assert mended.status == Exit.AGAIN
    assert own.sql("select min(epoch) from checkpoint where next_offset > 0") > mended.epochs
    assert own.sql("select 1 from pg_namespace where nspname = 'main_rebuild'") == []


def test_afterwards_everything_is_as_the_log_says(mended: Scene) -> None:
    report = verified(mended)
    assert report.differences == []
    assert report.mends is None


def test_each_record_of_before_has_the_verdict_that_is_right(mended: Scene) -> None:
    own = mended.road
    stored = dict.fromkeys(mended.right, Verdict.DUPLICATE)
    for topic, partition, offset, stage in own.sql(
        "select topic, partition, \"offset\", stage from dead_letter where 'main' = any(grps)"
    ):
        if (topic, partition, offset) in stored:
            conflict = stage == "conflict"
            stored[topic, partition, offset] = Verdict.CONFLICT if conflict else Verdict.DEAD
    for topic, partition, offset in own.sql(
        'select t.name, l.partition, l."offset" from ledger l join topic t on t.no = l.topic'
    ):
        if (topic, partition, offset) in stored:
            assert stored[topic, partition, offset] is Verdict.DUPLICATE, "applied and put aside"
            stored[topic, partition, offset] = Verdict.APPLIED
    assert changed(stored, mended.right) == set()


def test_balances_stock_and_answers_are_those_of_a_plain_fold(mended: Scene) -> None:
    own, memory = mended.road, mended.written.memory(mended.right)
    points, stock = balances(memory), cells(memory)
    stored = dict(own.sql("select profile_id, sum(points)::bigint from point_entry group by 1"))
    held = {
        (sku, place): (on_hand, committed)
        for sku, place, on_hand, committed in own.sql(
            "select sku, location_id, on_hand, committed from stock_cell"
        )
    }
    told_cells = {key: cell for key, cell in stock.items() if key[0] in ITEMS}
    assert {who: stored.get(who) for who in PEOPLE} == {who: points.get(who) for who in PEOPLE}
    assert {key: held.get(key) for key in told_cells} == told_cells
    api = own.api()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=api, headers=headers, trust_env=False, timeout=20) as client:
        until(lambda: _answers(client))
        for who in PEOPLE[6:9]:
            data = client.get(f"/v1/members/{who}/points").json()["data"]
            assert data["balance"] == points[who]
        for sku in ITEMS[1:4]:
            data = client.get(f"/v1/stock/{sku}").json()["data"]
            assert sum(place["on_hand"] for place in data["locations"]) == sum(
                on_hand for (item, _), (on_hand, _) in stock.items() if item == sku
            )


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def test_letters_and_holds_are_what_people_and_facts_made_of_them(mended: Scene) -> None:
    own = mended.road
    letter = (
        "select status, note, grps from dead_letter"
        ' where topic = %s and partition = %s and "offset" = %s'
    )
    first, second = mended.place("dropped")
    assert own.sql(letter, *first) == [("dropped", "as the runbook said", [])]
    assert own.sql(letter, *second) == [("open", None, ["main"])]
    assert own.sql(letter, *mended.place("retried")[0]) == [("retried", "sent again", ["main"])]
    false = [
        at for at in changed(mended.before, mended.right) if mended.right[at] is Verdict.APPLIED
    ]
    assert [at for at in false if at != first and own.sql(letter, *at)] == []
    added = own.sql(
        "select record_key, record_value, headers from dead_letter"
        ' where topic = %s and partition = %s and "offset" = %s',
        *second,
    )
    (entry,) = [
        entry
        for part in mended.written.slices
        for entry in part.entries
        if (part.topic, part.partition, entry.record.offset) == second
    ]
    assert added == [(entry.record.key, entry.record.value, [])]
    erased = "the person was erased"
    assert own.sql(letter, *mended.place("erased")[1]) == [("dropped", erased, ["main"])]
    assert own.sql("select state from points_hold") == [("applied",)]
    assert own.sql("select state from stock_hold") == [("applied",)]


def test_which_partition_applied_an_id_stays_the_choice_of_before(mended: Scene) -> None:
    own = mended.road
    event_id = UUID(bytes=mended.told.names["meets"])
    ((topic, partition, offset),) = own.sql(
        'select t.name, l.partition, l."offset" from ledger l join topic t on t.no = l.topic'
        " where event_id = %s",
        event_id,
    )
    places = mended.place("meets")
    again = mended.place("meets", mended.told.story.applied[event_id.bytes])[0]
    assert {at[1] for at in places} - {partition}, "it meets in two partitions"
    assert (topic, partition) == again[:2]
    assert offset == min(at[2] for at in places if at[1] == partition) < again[2]


def test_the_counts_of_each_partition_add_up(mended: Scene) -> None:
    right = counts(mended.right)
    rows = mended.road.sql(
        "select topic, partition, next_offset, applied, duplicate, conflict, dead_letter"
        " from checkpoint where grp = 'main'"
    )
    for topic, partition, end, *stored in rows:
        assert sum(stored) == end
        least = right.get((topic, partition), {})
        assert all(many >= least.get(v, 0) for v, many in zip(Verdict, stored, strict=True))


def test_what_another_kind_of_rebuild_left_is_not_gone_on_with(mended: Scene) -> None:
    killed_at(mended, "store:1")
    report = Rebuild(mended.road.settings, discover(), NAMES).run(False, True, lambda *step: None)
    assert not report.resumed
    assert report.total == 0
    assert mended.road.sql("select 1 from pg_namespace where nspname = 'main_rebuild'") == []


def test_whatever_was_changed_by_hand_in_the_engines_own_tables_is_put_right(mended: Scene) -> None:
    own = mended.road
    where = "event_id = (select event_id from ledger where partition = 2 order by 1 limit 1)"
    ((moved, offset),) = own.sql(f'select event_id, "offset" from ledger where {where}')
    own.sql('update ledger set partition = 3, "offset" = 0 where event_id = %s', moved)
    ((forgotten,),) = own.sql(
        "delete from ledger where event_id = (select event_id from ledger where partition = 1"
        " order by 1 limit 1) returning event_id"
    )
    own.sql(
        "update checkpoint set applied = applied + 1, duplicate = duplicate - 1"
        " where topic = 'commerce.points' and duplicate > 0"
    )
    own.sql("update dead_letter set grps = '{}' where status = 'open' and stage = 'decode'")
    assert {"engine ledger", "engine checkpoint", "engine dead_letter"} <= set(
        verified(mended).counted
    )
    report = Rejudge(own.settings, discover()).run(False, False, lambda *step: None)
    assert report.swapped
    assert report.verdicts is not None
    ids = {change["event_id"] for change in report.verdicts.moved}
    assert ids == {str(moved), str(forgotten)}
    assert own.sql('select partition, "offset" from ledger where event_id = %s', moved) == [
        (2, offset)
    ]
    assert verified(mended).differences == []
