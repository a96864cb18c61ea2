"""From two registrations to one member: the whole road, once."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from schemas.generated.events import MatchRulesActivated, Meta, Producer
from schemas.topics import TOPICS
from schemas.wire import codec
from tests.infra.test_topics import widen
from tests.services.identity.town import TOKENS, Town, registered, town
from tests.services.identity.weighing import rules

pytestmark = pytest.mark.servers
MEMBERS, CATALOG = "commerce.members", "commerce.catalog"
WHO = {
    "name": "髙橋 花子",
    "name_kana": "タカハシ ハナコ",
    "postcode": "150-0001",
    "address": "東京都渋谷区神宮前1丁目2番3号",
    "birth_date": "1985-04-12",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("identity")) as made:
        yield made


def test_two_profiles_of_one_person_become_one_member(place: Town) -> None:
    card = registered(**WHO, card="2900 0000 0001", phone="090-1111-2222")
    account = registered(
        name="高橋花子", birth_date="1985-04-12", postcode="1500001",
        address="渋谷区神宮前１−２−３", account="ec-1", email="hanako@example.com",
    )  # fmt: skip
    place.tells([card, account])
    place.settled()
    one, other = sorted([card["profile_id"], account["profile_id"]])
    assert {tuple(map(str, pair)) for pair in place.pairs()} == {(one, other)}
    assert place.member_of(one) == place.member_of(other)
    headers = {"Authorization": f"Bearer {TOKENS['app']}"}
    url = f"{place.reads}/v1/members/{other}"

    def shown() -> list[str]:
        answer = httpx.get(url, headers=headers, trust_env=False)
        return sorted(answer.json()["data"]["profile_ids"]) if answer.status_code == 200 else []

    # Postgres has it, Redis gets it after that
    place.until(lambda: shown() == [one, other])


def test_profiles_and_rules_of_partitions_that_were_added_while_it_ran_count(place: Town) -> None:
    kafka = place.road.endpoints.kafka
    for topic in (MEMBERS, CATALOG):
        asyncio.run(widen(kafka, topic, TOPICS[topic].partitions + 1))
    place.projector.send_signal(signal.SIGTERM)  # it would look for partitions within ten seconds
    place.projector.wait(15)
    place.projector = place.road.start("projector")
    there = "select 1 from checkpoint where topic = %s and partition = %s"
    for topic in (MEMBERS, CATALOG):
        place.until(lambda: place.road.sql(there, topic, TOPICS[topic].partitions))  # noqa: B023
    pairs = [
        [
            registered(
                name=f"山田 {'一二三四五六七八九十'[number]}子", postcode="150-0001",
                address="東京都渋谷区神宮前1丁目2番3号", birth_date=f"1985-04-{number + 1:02}",
            )
            for _ in range(2)
        ]
        for number in range(10)
    ]  # fmt: skip
    place.tells([one for pair in pairs for one in pair])
    wanted = {tuple(sorted(one["profile_id"] for one in pair)) for pair in pairs}
    place.until(lambda: wanted <= {tuple(map(str, pair)) for pair in place.pairs()})
    new = "select 1 from ledger where topic = (select no from topic where name = %s)"

    def added_partition_is_read() -> bool:
        # one id in nine belongs to the ninth partition; of the twenty above it may be none
        place.tells([registered()])
        return bool(
            place.road.sql(f"{new} and partition = %s", MEMBERS, TOPICS[MEMBERS].partitions)
        )

    place.until(added_partition_is_read)
    made = rules("second")
    meta = Meta(
        event_id=uuid4().bytes,
        occurred_at=time.time_ns() // 1_000,
        producer=Producer(system="test", channel="HEAD_OFFICE"),
    )
    event = MatchRulesActivated(
        meta=meta, rule_set="identity", version=made.version, rules=made.text(), valid_from=2
    )
    asyncio.run(_append(kafka, event, TOPICS[CATALOG].partitions))
    told = "select version from match_rules_text"
    place.until(lambda: ("second",) in place.road.sql(told))
    place.settled(15)


async def _append(kafka: str, event: MatchRulesActivated, partition: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        key, value = codec.key_of(event), codec.encode(event)
        await producer.send_and_wait(event.TOPIC, value, key=key, partition=partition)
    finally:
        await producer.stop()


def test_of_many_profiles_of_one_person_each_is_linked_with_a_few(place: Town) -> None:
    """A dummy customer of the tills: once one pair each, and a split that was never done."""
    many = 500
    same = {"name": "店頭 顧客", "birth_date": "1985-01-01", "postcode": "530-0001"}
    told = [registered(**same, address="大阪府大阪市北区梅田1丁目1番1号") for _ in range(many)]
    place.tells(told)
    ours = [UUID(one["profile_id"]) for one in told]
    grouped = "select count(distinct member_id) from member_group where profile_id = any(%s)"
    place.settled(120)
    place.until(lambda: place.road.sql(grouped, ours)[0][0] == 1)
    linked = [pair for pair in place.pairs() if not set(ours).isdisjoint(pair)]
    assert many - 1 <= len(linked) <= 3 * many
    body = {"profile_id": str(min(ours)), "actor": "staff", "reason": "somebody else"}
    place.until(place.desk.ready)
    assert place.desk.post("/splits", body).status_code == 200
    neighbour = registered(name="隣 人", card="2900 0000 0099")
    place.tells([neighbour])
    seen = "select 1 from member_group where profile_id = %s"
    place.until(lambda: place.road.sql(seen, UUID(neighbour["profile_id"])))
    place.settled(120)
    alone = "select profiles from member_group where profile_id = %s"
    place.until(lambda: place.road.sql(alone, min(ours)) == [([min(ours)],)])
    assert place.road.sql("select count(*) from dead_letter") == [(0,)]
