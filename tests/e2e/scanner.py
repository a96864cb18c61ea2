"""Does anything on a stack's disks, in its servers or in its logs show a person's data?

Reads with other clients than the product's and decodes what they compress; knows nothing of our
schemas.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import redis
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.e2e.needles import Finder, Finding

_CHUNK = 8_000_000
_TIMEOUT = 30.0
Blobs = Iterator[tuple[str, bytes]]


def scan(status: dict[str, Any], needles: Iterable[str]) -> list[Finding]:
    """Every needle found anywhere. `status` is what `hitotsu status --json` prints."""
    finder = Finder(needles)
    servers = status["servers"]
    found: set[Finding] = set()
    found.update(finder.find_in_all(kafka_records(servers["kafka"]["url"])))
    found.update(finder.find_in_all(redis_values(servers["redis"]["url"])))
    found.update(finder.find_in_all(postgres_rows(servers["postgres"]["url"])))
    for path in files(status):
        found.update(_in_file(finder, path))
    return sorted(found, key=lambda finding: (finding.where, finding.needle, finding.encoding))


def kafka_records(bootstrap: str) -> Blobs:
    """Key, value and headers of every record of every topic, decompressed."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "scanner",
            "enable.auto.commit": False,
            "isolation.level": "read_uncommitted",
            "enable.partition.eof": False,
        }
    )
    try:
        for topic in consumer.list_topics(timeout=_TIMEOUT).topics.values():
            for partition in topic.partitions:
                yield from _partition(consumer, topic.topic, partition)
    finally:
        consumer.close()


def _partition(consumer: Consumer, topic: str, partition: int) -> Blobs:
    place = TopicPartition(topic, partition, OFFSET_BEGINNING)
    low, high = consumer.get_watermark_offsets(place, timeout=_TIMEOUT)
    if low >= high:
        return
    consumer.assign([place])
    while (left := high - max(low, _position(consumer, topic, partition))) > 0:
        # asked for no more than there is, it does not wait for more
        for message in consumer.consume(min(left, 5_000), timeout=0.5):
            if message.error():
                raise KafkaException(message.error())
            parts = [_bytes(message.key()), _bytes(message.value())]
            headers: list[tuple[str, bytes | None]] = list(message.headers() or ())  # type: ignore[arg-type]
            for name, content in headers:
                parts += [name.encode(), content or b""]
            yield f"kafka {topic}-{partition} @ {message.offset()}", b"\n".join(parts)
    consumer.unassign()


def _position(consumer: Consumer, topic: str, partition: int) -> int:
    """Below 0 until something was read."""
    return int(consumer.position([TopicPartition(topic, partition)])[0].offset)


def _bytes(part: str | bytes | None) -> bytes:
    return part.encode() if isinstance(part, str) else part or b""


def redis_values(url: str) -> Blobs:
    """Name, content and dump of every key of every database."""
    with redis.Redis.from_url(url) as first:
        spaces = [name.removeprefix("db") for name in first.info("keyspace")]
    for space in spaces:
        with redis.Redis.from_url(url, db=int(space)) as client:
            for key in client.scan_iter(count=5_000):
                parts = [key, client.dump(key) or b"", *_content(client, key)]
                yield f"redis {space} {key!r}", b"\n".join(parts)


def _content(client: Any, key: bytes) -> list[bytes]:
    read: dict[bytes, Callable[[], Iterable[bytes]]] = {
        b"string": lambda: [client.get(key) or b""],
        b"hash": lambda: [part for pair in client.hgetall(key).items() for part in pair],
        b"list": lambda: client.lrange(key, 0, -1),
        b"set": lambda: list(client.smembers(key)),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"stream": lambda: [b for _, one in client.xrange(key) for p in one.items() for b in p],
    }
    kind = client.type(key)
    return list(read[kind]()) if kind in read else []


def postgres_rows(dsn: str) -> Blobs:
    """Every row of every table of every database, as text and as bytes, and what runs now."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CHECKPOINT")  # so that the files hold what memory holds
        names = connection.execute("SELECT datname FROM pg_database WHERE datallowconn").fetchall()
    for (name,) in names:
        with psycopg.connect(make_conninfo(dsn, dbname=name), autocommit=True) as connection:
            for table in _tables(connection):
                for form in ("text", "binary"):
                    yield from _copied(connection, name, table, form)


def _tables(connection: psycopg.Connection[Any]) -> list[sql.Identifier]:
    rows = connection.execute(
        "SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE relkind IN ('r', 'm') AND nspname <> 'information_schema' "
        "AND (nspname !~ '^pg_' OR relname IN ('pg_largeobject', 'pg_statistic'))"
    ).fetchall()
    return [*(sql.Identifier(*row) for row in rows), sql.Identifier("pg_stat_activity")]


def _copied(
    connection: psycopg.Connection[Any], database: str, table: sql.Identifier, form: str
) -> Blobs:
    if form == "binary" and table.as_string().startswith('"pg_'):
        return  # some of its columns have no binary form
    query = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT {})").format(table, sql.SQL(form))
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for row in copy:
            yield f"postgres {database} {table.as_string()} {form}", bytes(row)


def files(status: dict[str, Any]) -> Iterator[Path]:
    """Every file the stack wrote: segments, tables, write-ahead logs, logs; not downloads."""
    home = Path(status["home"])
    entries = [*status["servers"].values(), *status.get("services", {}).values()]
    outside = {Path(entry["log"]) for entry in entries if entry.get("log")}
    cache = home / "cache"
    inside = {path for path in home.rglob("*") if cache not in path.parents}
    for data in (Path(entry["data"]) for entry in entries if entry.get("data")):
        outside |= set(data.rglob("*"))
    for path in sorted(inside | outside):
        try:
            if stat.S_ISREG(path.lstat().st_mode):
                yield path
        except FileNotFoundError:
            continue  # a temporary file of a running server


def _in_file(finder: Finder, path: Path) -> set[Finding]:
    found: set[Finding] = set()
    tail = b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                found |= finder.find(f"file {path}", tail + chunk)
                tail = chunk[-finder.longest :]
    except FileNotFoundError:
        pass  # removed by its server since it was listed
    return found
