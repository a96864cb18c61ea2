"""Is a person forgotten when the receipt says so, also when somebody else has the event's id?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Producer as Kafka

from schemas.generated.events import Meta, Producer, SubjectErased
from schemas.generated.inputs import example, parse, to_event
from schemas.wire import codec
from tests.schemas.sealers import OpenSealer
from tests.services.rebuild.road import Road, road

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    with road(tmp_path_factory.mktemp("erasure")) as own:
        own.start("projector")
        # the first erasure makes the table
        own.verb("erase", "--yes", str(known(own)), "--reason", "asked", code=0)
        yield own


def known(place: Road) -> UUID:
    """A profile that has a key."""
    profile = uuid4()
    place.sql(
        "insert into hitotsu.subject_key (subject, wrapped, kek_id) values (%s, 'x', 'y')",
        profile.bytes,
    )
    return profile


def planned(place: Road, profile: UUID) -> tuple[UUID, datetime]:
    """An erasure that was written down, and nothing more."""
    event_id, at = uuid4(), datetime(2026, 4, 1, tzinfo=UTC)
    place.sql(
        "insert into hitotsu.erasure (profile_id, member_id, event_id, asked_at, reason, actor)"
        " values (%s, %s, %s, %s, 'asked', 'operator')",
        profile, profile, event_id, at,
    )  # fmt: skip
    return event_id, at


def append(place: Road, event: Any) -> None:
    before = place.applied()
    # into the partition of its key, as our producers do
    producer = Kafka({"bootstrap.servers": place.endpoints.kafka, "partitioner": "murmur2_random"})
    producer.produce(event.TOPIC, codec.encode(event), codec.key_of(event))
    assert producer.flush(30) == 0
    place.settle(before + 1)


def squatted(place: Road, event_id: UUID) -> None:
    """Somebody else's fact under this id."""
    made: Any = to_event(parse(example("StockReceived")), OpenSealer())
    append(place, replace(made, meta=replace(made.meta, event_id=event_id.bytes)))


def forgotten(place: Road, profile: UUID) -> bool:
    return bool(place.sql("select 1 from erased_subject where subject = %s", profile))


def test_another_fact_under_the_id_of_an_erasure_is_no_erasure(place: Road) -> None:
    profile = known(place)
    event_id, _ = planned(place, profile)
    squatted(place, event_id)
    process = place.begin("erase", "--yes", str(profile), "--json")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 4, errors
    assert b"commerce.inventory" in errors
    assert not forgotten(place, profile)
    (receipt,) = place.verb("erase", "--yes", str(profile), code=0)["erased"]
    assert forgotten(place, profile)
    assert receipt["event_id"] != str(event_id)
    assert applied_at(place, receipt["event_id"]) == [
        (receipt["topic"], receipt["partition"], receipt["offset"])
    ]


def test_an_erasure_that_was_called_done_and_was_not_is_done_again(place: Road) -> None:
    profile = known(place)
    event_id, _ = planned(place, profile)
    squatted(place, event_id)
    place.sql(
        "update hitotsu.erasure set finished_at = now(), topic = 'commerce.members', partition = 0,"
        ' "offset" = 0 where profile_id = %s',
        profile,
    )
    process = place.begin("erase", "--yes", str(profile), "--json")
    process.communicate(timeout=60)
    assert process.returncode == 4
    place.verb("erase", "--yes", str(profile), code=0)
    assert forgotten(place, profile)


def test_a_fact_that_was_sent_before_a_crash_is_the_erasure_s_own(place: Road) -> None:
    profile = known(place)
    event_id, at = planned(place, profile)
    meta = Meta(
        event_id=event_id.bytes,
        occurred_at=int(at.timestamp()) * 1_000_000,
        producer=Producer(system="hitotsu", channel="OTHER"),
    )
    append(
        place, SubjectErased(meta=meta, profile_id=profile.bytes, reason="asked", actor="operator")
    )
    (receipt,) = place.verb("erase", "--yes", str(profile), code=0)["erased"]
    assert forgotten(place, profile)
    assert receipt["event_id"] == str(event_id)
    (first,) = applied_at(place, str(event_id))
    assert first < (receipt["topic"], receipt["partition"], receipt["offset"])


def test_a_refused_sale_that_names_the_person_is_emptied_and_no_other_letter(place: Road) -> None:
    profile, other = known(place), known(place)
    sale = to_event(parse(example("PurchaseCompleted")), OpenSealer())
    values = [codec.encode(replace(sale, profile_id=one.bytes)) for one in (profile, other)]
    for offset, value in enumerate(values):
        place.sql(
            "insert into hitotsu.dead_letter (topic, partition, \"offset\", stage, error_class,"
            " reason, record_key, record_value, appended_at, grps)"
            " values ('commerce.purchases', 99, %s, 'apply', 'E', 'refused', %s, %s, now(), '{}')",
            offset, sale.transaction_id, value,
        )  # fmt: skip
    place.verb("erase", "--yes", str(profile), code=0)
    left = "select record_value from hitotsu.dead_letter where partition = 99 order by id"
    assert place.sql(left) == [(None,), (values[1],)]


def applied_at(place: Road, event_id: str) -> list[Any]:
    return place.sql(
        'select t.name, l.partition, l."offset" from ledger l join hitotsu.topic t'
        " on t.no = l.topic where l.event_id = %s",
        event_id,
    )
