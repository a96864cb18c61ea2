"""The scanner finds a planted person in every place and every encoding, and nobody else."""

from __future__ import annotations

import base64
import os
import zlib
from typing import TYPE_CHECKING

import psycopg
import pytest
import redis
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.e2e.needles import Finder, email_spellings, name_spellings, phone_spellings
from tests.e2e.scanner import scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from infra.backend import Endpoints

MAIL, NAME = "planted.person@example.org", "山田　太郎兵衛"
OTHERS = [f"customer{n}@example.net" for n in range(3_000)]


def fresh() -> str:
    return f"planted-{os.urandom(6).hex()}@example.org"


@pytest.fixture
def status(servers: Endpoints, tmp_path: Path) -> dict[str, Any]:
    names = ("kafka", "postgres", "redis")
    entries = {name: {"url": getattr(servers, name), "log": None} for name in names}
    return {"home": str(tmp_path), "servers": entries, "services": {}}


@pytest.fixture
def topic(servers: Endpoints) -> Iterator[str]:
    admin, name = (
        AdminClient({"bootstrap.servers": servers.kafka}),
        f"planted-{os.urandom(4).hex()}",
    )
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(30)
    yield name
    admin.delete_topics([name])[name].result(30)


@pytest.mark.parametrize(
    "spoilt",
    [
        NAME.encode(),
        NAME.encode("utf-16-le"),
        NAME.encode("cp932"),
        NAME.encode().hex().encode(),
        b"x" + base64.b64encode(b"a" + NAME.encode() + b"bc"),
        b"x" + base64.b64encode(b"ab" + NAME.encode()),
        base64.urlsafe_b64encode(NAME.encode("utf-16-le")),
        ascii(NAME).encode(),
    ],
)
def test_a_name_is_found_in_every_encoding(spoilt: bytes) -> None:
    finder = Finder([NAME, *OTHERS])
    assert {hit.needle for hit in finder.find("here", b"..." + spoilt + b"...")} == {NAME}
    assert not finder.find("here", spoilt[:-6])


def test_people_are_known_under_every_spelling() -> None:
    assert phone_spellings("+819012345678") == {
        "+819012345678", "819012345678", "09012345678", "090-1234-5678", "090 1234 5678",
    }  # fmt: skip
    assert {"Taro Yamada", "YamadaTaro", "Yamada　Taro"} <= name_spellings("Taro", "Yamada")
    assert email_spellings("Ta@Example.org") == {"Ta@Example.org", "ta@example.org"}


@pytest.mark.servers
def test_a_person_in_a_compressed_record_is_found(
    status: dict[str, Any], servers: Endpoints, topic: str
) -> None:
    value, key, header = fresh(), fresh(), fresh()
    settings = {"bootstrap.servers": servers.kafka, "compression.type": "lz4", "linger.ms": 50}
    producer = Producer(settings)
    for n in range(2_000):
        producer.produce(topic, f"{n}".encode() * 20)
    producer.produce(topic, value.encode("utf-16-le"), partition=0)
    producer.produce(topic, b"", key=key.encode(), partition=1)
    producer.produce(topic, b"", headers={"who": header.encode()}, partition=1)
    producer.flush(30)
    found = scan(status, [value, key, header, *OTHERS])
    assert {hit.needle for hit in found} == {value, key, header}
    assert all(hit.where.startswith(f"kafka {topic}-") for hit in found)


@pytest.mark.servers
def test_a_person_in_a_column_of_any_schema_is_found(
    status: dict[str, Any], servers: Endpoints
) -> None:
    text, raw, schema = fresh(), fresh(), f"planted_{os.urandom(4).hex()}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"CREATE TABLE {schema}.t (a jsonb, b bytea)")
        try:
            connection.execute(
                f"INSERT INTO {schema}.t VALUES (jsonb_build_object('who', %s::text), %s)",
                [text, raw.encode()],
            )
            found = scan(status, [text, raw, *OTHERS])
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")
    assert {(hit.needle, hit.encoding) for hit in found} >= {
        (text, "utf-8"),
        (raw, "hex"),
        (raw, "utf-8"),
    }
    assert {hit.needle for hit in found} == {text, raw}


@pytest.mark.servers
def test_a_person_in_any_kind_of_redis_key_is_found(
    status: dict[str, Any], servers: Endpoints
) -> None:
    people = [fresh() for _ in range(7)]
    prefix = f"planted:{os.urandom(4).hex()}"
    with redis.Redis.from_url(servers.redis) as client:
        try:
            client.set(f"{prefix}:string", people[0] * 20)
            client.hset(f"{prefix}:hash", "who", people[1])
            client.hset(f"{prefix}:hash", people[2], "who")
            client.zadd(f"{prefix}:zset", {people[3]: 1.0})
            client.rpush(f"{prefix}:list", people[4])
            client.xadd(f"{prefix}:stream", {"who": people[5]})
            client.set(f"{prefix}:{people[6]}", "")
            found = scan(status, [*people, *OTHERS])
        finally:
            client.delete(*client.keys(f"{prefix}:*"))
    assert {hit.needle for hit in found} == set(people)


@pytest.mark.servers
def test_a_person_in_a_log_or_a_data_file_is_found(
    status: dict[str, Any], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    logged, stored, elsewhere, downloaded = (fresh() for _ in range(4))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "gateway.log").write_text(f'{{"event": "sent to {logged}"}}\n')
    edge = b"\0" * (8_000_000 - 9)
    (tmp_path / "0.log").write_bytes(edge + stored.encode("cp932") + zlib.compress(b"x"))
    log = tmp_path_factory.mktemp("elsewhere") / "api.log"
    log.write_text(elsewhere)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "tables").write_text(downloaded)
    status["services"] = {"api": {"log": str(log)}, "gateway": {"log": None}}
    found = scan(status, [logged, stored, elsewhere, downloaded, *OTHERS])
    assert {hit.needle for hit in found} == {logged, stored, elsewhere}
