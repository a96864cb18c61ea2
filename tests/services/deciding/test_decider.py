"""Is each key decided once, whatever happens to who asked, to the process and to Postgres?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from infra.backend import Endpoints
from services.deciding.answers import Answer, Keyed
from services.deciding.decider import Decider, InFlight, NotDecided
from services.runtime.db import Connection
from services.state.migrate import migrate

pytestmark = pytest.mark.servers
NOTE = "insert into decided_by_test values (%s)"


@pytest.fixture
def dsn(servers: Endpoints) -> str:
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        migrate(connection)
        connection.execute("drop table if exists hitotsu.decided_by_test")
        connection.execute("create table hitotsu.decided_by_test (what text)")
    return servers.postgres


class Work:
    """Notes every command in a table, so that a second decision about it would be seen."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing: list[Exception] = []

    async def see(self, connection: Connection, commands: Sequence[Any]) -> int:
        return len(commands)

    async def decide(
        self, connection: Connection, seen: int, commands: Sequence[Any]
    ) -> list[Answer]:
        assert len(commands) <= seen
        self.batches.append(len(commands))
        for command in commands:
            await connection.execute(NOTE, [command])
        if self.failing:
            raise self.failing.pop(0)
        await self.gate.wait()
        return [Answer.of(200, {"decided": command}) for command in commands]


@asynccontextmanager
async def deciding(dsn: str, work: Work) -> AsyncIterator[Decider]:
    decider = Decider(dsn, "test", work, lambda: None)
    await decider.start()
    try:
        yield decider
    finally:
        await decider.stop()


def noted(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute("select what from hitotsu.decided_by_test")]


def keyed(key: str | None, command: str, body: bytes = b"body") -> Keyed:
    return Keyed("client", key, body, command)


async def taken_until_decided(decider: Decider, work: Work, key: str) -> None:
    """Nobody waits for the answer any more; the key is taken, and then answered as decided."""
    with pytest.raises(InFlight):
        await decider.ask(keyed(key, "a"))
    work.gate.set()
    async with asyncio.timeout(30):
        while True:
            with suppress(InFlight):
                assert (await decider.ask(keyed(key, "a"))).status == 200
                return
            await asyncio.sleep(0.02)


async def test_what_waits_is_decided_together_and_each_gets_its_answer(dsn: str) -> None:
    work, run = Work(), uuid4().hex
    work.gate.clear()
    async with deciding(dsn, work) as decider:
        asked = [
            asyncio.ensure_future(decider.ask(keyed(f"{run}-{n}", f"{run}-{n}"))) for n in range(40)
        ]
        await asyncio.sleep(0.2)
        work.gate.set()
        answers = await asyncio.gather(*asked)
    assert [run + f"-{n}" in answer.body for n, answer in enumerate(answers)] == [True] * 40
    assert sum(work.batches) == 40
    assert max(work.batches) > 20
    assert sorted(noted(dsn)) == sorted(f"{run}-{n}" for n in range(40))


async def test_the_same_key_is_answered_as_before_also_by_another_process(dsn: str) -> None:
    key = uuid4().hex
    first, second = Work(), Work()
    async with deciding(dsn, first) as one, deciding(dsn, second) as other:
        answer = await one.ask(keyed(key, "a"))
        assert await other.ask(keyed(key, "b")) == answer
        assert (await other.ask(keyed(key, "b", b"other"))).status == 422
        mixed = await asyncio.gather(
            other.ask(keyed(key, "b")),
            other.ask(keyed(uuid4().hex, "c")),
            other.ask(keyed(None, "d")),
        )
    assert [said.status for said in mixed] == [200, 200, 200]
    assert mixed[0] == answer
    assert sorted(noted(dsn)) == ["a", "c", "d"]


async def test_while_it_is_decided_the_key_is_taken_also_when_who_asked_has_left(dsn: str) -> None:
    work, key = Work(), uuid4().hex
    work.gate.clear()
    async with deciding(dsn, work) as decider:
        asking = asyncio.ensure_future(decider.ask(keyed(key, "a")))
        await asyncio.sleep(0.1)
        with pytest.raises(InFlight):
            await decider.ask(keyed(key, "a"))
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await taken_until_decided(decider, work, key)
    assert noted(dsn) == ["a"]


async def test_who_loses_patience_is_told_and_the_key_stays_taken_until_it_is_decided(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.deciding.decider.PATIENCE_SECONDS", 0.3)
    work, key = Work(), uuid4().hex
    work.gate.clear()
    async with deciding(dsn, work) as decider:
        with pytest.raises(NotDecided, match="in time"):
            await decider.ask(keyed(key, "a"))
        await taken_until_decided(decider, work, key)
    assert noted(dsn) == ["a"]


PASSING = [
    psycopg.errors.DeadlockDetected("crosswise"),
    psycopg.errors.UndefinedTable("swapped meanwhile"),
    psycopg.OperationalError("gone"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
async def test_what_passes_is_decided_again_and_once(dsn: str, error: Exception) -> None:
    work = Work()
    work.failing = [error]
    async with deciding(dsn, work) as decider:
        assert (await decider.ask(keyed(uuid4().hex, "a"))).status == 200
    assert work.batches == [1, 1]
    assert noted(dsn) == ["a"], "what a transaction left behind was kept"


async def test_a_fault_of_ours_is_said_and_the_next_is_decided(dsn: str) -> None:
    work, key = Work(), uuid4().hex
    work.failing = [KeyError("a bug")]
    async with deciding(dsn, work) as decider:
        with pytest.raises(NotDecided):
            await decider.ask(keyed(key, "a"))
        assert (await decider.ask(keyed(key, "a"))).status == 200
    assert noted(dsn) == ["a"]


async def test_without_postgres_it_says_so_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.deciding.decider.PATIENCE_SECONDS", 0.5)
    async with deciding("postgresql://postgres@127.0.0.1:1/none", Work()) as decider:
        with pytest.raises(NotDecided, match="in time"):
            await decider.ask(keyed("k", "a"))


async def test_of_two_processes_with_one_key_one_decides_and_both_say_the_same(dsn: str) -> None:
    key, first, second = uuid4().hex, Work(), Work()
    first.gate.clear()
    second.gate.clear()
    async with deciding(dsn, first) as one, deciding(dsn, second) as other:
        asked = [asyncio.ensure_future(each.ask(keyed(key, "a"))) for each in (one, other)]
        while not (first.batches and second.batches):
            await asyncio.sleep(0.01)
        first.gate.set()
        second.gate.set()
        answers = await asyncio.gather(*asked)
        assert answers[0] == answers[1]
        assert sorted([first.batches, second.batches]) == [[1], [1]], "the second was told, at once"
        assert (await other.ask(keyed(uuid4().hex, "b"))).status == 200
    assert sorted(noted(dsn)) == ["a", "b"]


async def test_what_fails_as_it_is_committed_stays_undone_and_the_next_is_decided(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "alter table hitotsu.decided_by_test add check (what <> 'bad') not valid"
        )
    async with deciding(dsn, Work()) as decider:
        with pytest.raises(NotDecided):
            await decider.ask(keyed(uuid4().hex, "bad"))
        assert (await decider.ask(keyed(uuid4().hex, "good"))).status == 200
    assert noted(dsn) == ["good"]


async def test_who_asks_again_and_again_is_decided_with_the_others(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.deciding.decider.GATHER_SECONDS", 0.2)  # on a slow machine too
    work, run = Work(), uuid4().hex

    async def asks(decider: Decider, caller: int) -> None:
        for number in range(25):
            answer = await decider.ask(keyed(f"{run}-{caller}-{number}", f"{caller}"))
            assert answer.status == 200
            await asyncio.sleep(caller * 0.0002)  # on the way to the caller and back

    async with deciding(dsn, work) as decider:
        await asyncio.gather(*(asks(decider, n) for n in range(8)))
    assert sum(work.batches) == 200
    assert len(work.batches) < 40, "they fell into parts, each decided while the others wait"


async def test_who_comes_alone_waits_for_nobody_and_who_waits_is_told_of_the_end(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.deciding.decider.GATHER_SECONDS", 3600)
    async with deciding(dsn, Work()) as decider:
        for number in range(3):
            await asyncio.wait_for(decider.ask(keyed(None, f"{number}")), 30)
        await asyncio.gather(*(decider.ask(keyed(None, "together")) for _ in range(4)))
        waiting = asyncio.ensure_future(decider.ask(keyed(None, "alone")))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await decider.stop()
        with pytest.raises(NotDecided, match="stopping"):
            await asyncio.wait_for(waiting, 30)
