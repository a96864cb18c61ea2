"""Is a resend one, though the gateway fills in something else than when it was first sent?"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from infra.home import free_port
from schemas.generated.inputs import example
from schemas.topics import TOPIC_OF
from schemas.wire import codec
from services.runtime.record_at import RecordReader
from services.sdk import Buffer, Client, uuid7
from tests.schemas.test_moved_notes import before as as_released_first
from tests.schemas.test_moved_notes import typed
from tests.services.gateway.running import until
from tests.services.rebuild.road import Road, road

pytestmark = pytest.mark.servers
TOKENS = {"app": "app-token-of-a-test", "till": "till-token-of-a-test"}


class Shop:
    """A till, a gateway and a projector."""

    def __init__(self, place: Road) -> None:
        self.place = place
        port = free_port()
        place.start("gateway", HITOTSU_PORT=str(port))
        self.projector = place.start("projector")
        self.url = f"http://127.0.0.1:{port}"
        with self.client() as client:
            until(lambda: self._answers(client), 60)
            self.key = client.sealing_key()
        until(lambda: self.place.sql("select count(*) from checkpoint")[0][0] > 40, 60)

    @staticmethod
    def _answers(client: Client) -> bool:
        try:
            return bool(client.sealing_key())
        except OSError:
            return False

    def client(self, buffer: Buffer | None = None, url: str = "") -> Client:
        return Client(url or self.url, TOKENS["till"], buffer, patience=20)

    def verdicts(self, settled: int) -> tuple[int, ...]:
        """Applied, duplicate, conflict, dead letter; once so many records have one."""
        query = (
            "select sum(applied)::int, sum(duplicate)::int, sum(conflict)::int,"
            " sum(dead_letter)::int from checkpoint where topic <> 'commerce.dead-letters'"
        )
        until(lambda: sum(self.place.sql(query)[0]) >= settled, 60)
        return tuple(self.place.sql(query)[0])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with road(tmp_path_factory.mktemp("told"), TOKENS) as own:
        yield Shop(own)


def told(name: str = "ProfileRegistered", /, **changes: Any) -> dict[str, Any]:
    """An event as a till tells it that says of no identifier whether it is verified."""
    made = copy.deepcopy(example(name))
    made["meta"]["event_id"], made["profile_id"] = uuid7(), uuid7()
    made.update(changes)
    for one in [*made.get("identifiers", ()), made.get("identifier", {})]:
        one.pop("verified", None)
    return made


def as_before(event: dict[str, Any]) -> dict[str, Any]:
    """The same, as the gateway of before filled it in: what was not said was verified."""
    made = copy.deepcopy(event)
    for one in made.get("identifiers", ()):
        one["verified"] = True
    if "identifier" in made:
        made["identifier"]["verified"] = True
    return made


def test_a_till_s_buffer_that_was_half_sent_before_is_sent_whole(
    shop: Shop, tmp_path: Path
) -> None:
    names = ("ProfileRegistered", "IdentifierObserved", "ProfileUpdated", "InquiryOpened")
    day = [told(name) for name in names * 3]
    buffer = Buffer(tmp_path / "till.buffer", shop.key)
    with shop.client(buffer, f"http://127.0.0.1:{free_port()}") as away:
        away.send(day)  # the line is down: all of it waits on disk
    assert len(buffer) == len(day)
    before = shop.verdicts(0)
    with shop.client() as client:
        assert client.send([as_before(one) for one in day[:6]]).accepted == 6
    shop.verdicts(sum(before) + 6)
    # killed after half: the till knows of no answer; the projector has forgotten what it folded
    shop.projector.terminate()
    shop.projector.wait()
    shop.projector = shop.place.start("projector")
    with shop.client(buffer) as client:
        assert client.flush() == 0
    after = shop.verdicts(sum(before) + 6 + len(day))
    assert [b - a for a, b in zip(before, after, strict=True)] == [12, 6, 0, 0]


def test_hundreds_of_resends_are_compared_before_the_watchdog_ends_the_process(
    shop: Shop,
) -> None:
    many = [told() for _ in range(300)]
    before, process = shop.verdicts(0), shop.projector.pid
    with shop.client() as client:
        for start in range(0, len(many), 100):
            part = [as_before(one) for one in many[start : start + 100]]
            assert client.send(part).accepted == 100
        shop.verdicts(sum(before) + 300)
        for start in range(0, len(many), 100):
            assert client.send(many[start : start + 100]).accepted == 100
    after = shop.verdicts(sum(before) + 600)
    assert [b - a for a, b in zip(before, after, strict=True)] == [300, 300, 0, 0]
    assert shop.projector.poll() is None and shop.projector.pid == process


def test_a_place_where_nothing_lies_is_answered_at_once(shop: Shop) -> None:
    placed = RecordReader(shop.place.endpoints.kafka, patience=60)
    try:
        topic = "commerce.terminals"
        began = time.monotonic()
        assert [placed.value(topic, 0, offset) for offset in (0, 700)] == [None, None]
        assert placed.value(topic, 99, 0) is None
        assert time.monotonic() - began < 30
    finally:
        placed.close()


def test_records_that_are_near_each_other_are_read_in_one_go(shop: Shop) -> None:
    kafka, topic = shop.place.endpoints.kafka, "read-in-one-go"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(1_000):
        producer.produce(topic, str(number))
    assert producer.flush(30) == 0
    placed, asked = RecordReader(kafka), [0, 1, 5, 150, 151, 700, 702, 999, 1_000, 1_400]
    try:
        found = placed.values(topic, 0, asked)
        assert found == {
            offset: str(offset).encode() if offset < 1_000 else None for offset in asked
        }
        assert placed.values(topic, 9, [0, 1]) == {0: None, 1: None}
        assert placed.values(topic, 0, []) == {}
        assert placed.value(topic, 0, 3) == b"3"
    finally:
        placed.close()


def test_a_resend_right_behind_its_first_is_one_too(shop: Shop) -> None:
    one, other = told(), told()
    before = shop.verdicts(0)
    with shop.client() as client:
        assert client.send([as_before(one), one, other, as_before(other)]).accepted == 4
    after = shop.verdicts(sum(before) + 4)
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 2, 0, 0]


def test_what_the_producer_says_otherwise_is_a_conflict_all_the_same(shop: Shop) -> None:
    one = told()
    others = [{**one, "name": "佐藤次郎"}, {**one, "identifiers": one["identifiers"][:-1]}]
    before = shop.verdicts(0)
    with shop.client() as client:
        assert client.send([as_before(one), *others]).accepted == 3
    after = shop.verdicts(sum(before) + 3)
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 0, 2, 0]


def test_a_resend_of_words_that_lie_in_clear_in_the_log_is_one_too(shop: Shop) -> None:
    """Sent before notes were sealed, and again afterwards, in the field of before both times."""
    kinds = {"InquiryClosed": "resolution", "PurchaseReturned": "reason", "StockAdjusted": "reason"}
    day = [{**typed(name, old), "meta": told(name)["meta"]} for name, old in kinds.items()]
    olds = list(kinds.values())
    kafka = Producer({"bootstrap.servers": shop.place.endpoints.kafka})
    before = shop.verdicts(0)
    for event, old in zip(day, olds, strict=True):
        value = as_released_first(event, old)
        key = codec.key_of(codec.decode(value))
        kafka.produce(TOPIC_OF[event["type"]].name, value, key)
    assert kafka.flush(20) == 0
    shop.verdicts(sum(before) + 3)
    other = {**day[2], "quantity": 7}
    with shop.client() as client:
        assert client.send([*day, other]).accepted == 4
    after = shop.verdicts(sum(before) + 7)
    assert [b - a for a, b in zip(before, after, strict=True)] == [3, 3, 1, 0]


def test_verify_and_a_group_judged_anew_say_the_same(shop: Shop) -> None:
    before = shop.verdicts(0)
    shop.place.settle(sum(before))
    assert shop.place.verb("verify")["total"] == 0
    told_anew = shop.place.verb("rebuild", "--rejudge", "--check")
    assert told_anew["total"] == 0
    changes = told_anew["verdicts"]
    assert (changes["ids"], changes["letters_added"], changes["letters_withdrawn"]) == (0, 0, 0)
    assert shop.verdicts(0) == before
