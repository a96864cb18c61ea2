"""A subject has one key, whoever asks first; a destroyed one never comes back."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio
from psycopg.conninfo import make_conninfo

from services.runtime import db
from services.runtime.keys import SubjectKeys, WrongKeyEncryptionKey, kek_id
from services.state.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from infra.backend import Endpoints

pytestmark = [pytest.mark.servers, pytest.mark.asyncio]
KEK, NEW_KEK = b"1" * 32, b"2" * 32


@pytest.fixture(scope="module")
def database(servers: Endpoints) -> Iterator[str]:
    """One of our own: rotating keys touches every row there is."""
    name = f"keys_{os.urandom(4).hex()}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield make_conninfo(servers.postgres, dbname=name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture
async def pool(database: str) -> AsyncIterator[db.Pool]:
    async with db.pool(database, size=4) as ready:
        with psycopg.connect(database, autocommit=True) as connection:
            migrate(connection)
        yield ready


def people(count: int) -> list[bytes]:
    return [os.urandom(16) for _ in range(count)]


async def test_a_subject_keeps_its_key_over_restarts_and_processes(pool: db.Pool) -> None:
    subjects = people(300)
    first = await SubjectKeys(pool, KEK).of(subjects)
    assert len(set(first.values())) == 300
    assert await SubjectKeys(pool, KEK).of([*subjects, *subjects]) == first
    assert await SubjectKeys(pool, KEK).existing(subjects) == first


async def test_four_processes_that_meet_the_same_new_people_agree_on_their_keys(
    pool: db.Pool,
) -> None:
    subjects = people(500)
    processes = [SubjectKeys(pool, KEK) for _ in range(4)]
    orders = [subjects, subjects[::-1], subjects[250:] + subjects[:250], subjects[:300]]
    answers = await asyncio.gather(
        *(keys.of(order) for keys, order in zip(processes, orders, strict=True))
    )
    assert answers[0] == answers[1] == answers[2]
    assert answers[3].items() <= answers[0].items()


async def test_asking_for_existing_keys_makes_none(pool: db.Pool) -> None:
    subjects = people(3)
    keys = SubjectKeys(pool, KEK)
    assert await keys.existing(subjects) == {}
    await keys.of(subjects[:1])
    assert set(await SubjectKeys(pool, KEK).existing(subjects)) == {subjects[0]}


async def test_a_destroyed_key_is_gone_and_the_person_gets_no_second_one(pool: db.Pool) -> None:
    known, never_seen, other = people(3)
    keys = SubjectKeys(pool, KEK)
    await keys.of([known, other])
    for _ in range(2):
        await keys.destroy(known)
        await keys.destroy(never_seen)
    for asked in (keys, SubjectKeys(pool, KEK)):
        assert set(await asked.of([known, never_seen, other])) == {other}
        assert set(await asked.existing([known, never_seen, other])) == {other}


async def test_another_process_forgets_a_destroyed_key_when_its_minute_is_over(
    pool: db.Pool,
) -> None:
    now = [0.0]
    (subject,) = people(1)
    elsewhere = SubjectKeys(pool, KEK, clock=lambda: now[0])
    await elsewhere.of([subject])
    await SubjectKeys(pool, KEK).destroy(subject)
    now[0] = 59.0
    assert await elsewhere.of([subject])
    now[0] = 61.0
    assert await elsewhere.of([subject]) == {}


async def test_memory_is_bounded_and_a_forgotten_key_is_read_again(pool: db.Pool) -> None:
    subjects = people(20)
    keys = SubjectKeys(pool, KEK, most=5)
    made = await keys.of(subjects)
    assert len(keys._known) == 5
    assert await keys.of(subjects) == made


async def test_postgres_holds_no_key_in_clear(pool: db.Pool, database: str) -> None:
    subjects = people(2)
    made = await SubjectKeys(pool, KEK).of(subjects)
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT wrapped FROM hitotsu.subject_key WHERE subject = ANY(%s)", [subjects]
        ).fetchall()
    assert len(rows) == 2
    assert not any(key in row[0] for row in rows for key in made.values())


async def test_after_a_rotation_the_old_key_encryption_key_is_not_needed(
    pool: db.Pool, database: str
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM hitotsu.subject_key")
    subjects = people(25)
    made = await SubjectKeys(pool, KEK).of(subjects)
    both = SubjectKeys(pool, NEW_KEK, KEK)
    assert await both.of(subjects) == made
    assert await both.rewrap(batch=10) == 25
    assert await both.rewrap() == 0
    assert await SubjectKeys(pool, NEW_KEK).existing(subjects) == made
    with pytest.raises(WrongKeyEncryptionKey, match=kek_id(NEW_KEK)):
        await SubjectKeys(pool, KEK).existing(subjects)


async def test_a_key_moved_to_another_subject_is_refused(pool: db.Pool, database: str) -> None:
    one, two = people(2)
    await SubjectKeys(pool, KEK).of([one, two])
    with psycopg.connect(database) as connection:
        connection.execute(
            "UPDATE hitotsu.subject_key SET wrapped = "
            "(SELECT wrapped FROM hitotsu.subject_key WHERE subject = %s) WHERE subject = %s",
            [one, two],
        )
    with pytest.raises(WrongKeyEncryptionKey, match="was changed"):
        await SubjectKeys(pool, KEK).existing([two])
