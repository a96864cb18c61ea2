"""Does a background task go on after every kind of failure, and one process alone do it?"""

from __future__ import annotations

import asyncio
from uuid import uuid4

import psycopg
import pytest
from aiokafka.errors import KafkaConnectionError

from infra.backend import Endpoints
from services.following.background_task import BackgroundTask
from services.runtime.db import Connection
from services.runtime.producer import KafkaAway
from services.runtime.worker import Worker

pytestmark = [pytest.mark.servers, pytest.mark.timeout(60)]
FAILURES = [
    psycopg.errors.DeadlockDetected("crosswise"),
    psycopg.errors.UndefinedTable("being swapped"),
    psycopg.OperationalError("the server went away"),
    psycopg.errors.UniqueViolation("twice"),
    KafkaConnectionError(),
    KafkaAway(),
    OSError("broken pipe"),
    ValueError("unforeseen"),
]


class Rounds(BackgroundTask):
    """Counts its rounds; each of `failures` ends one round."""

    def __init__(self, dsn: str, name: str, failures: list[Exception]) -> None:
        super().__init__(dsn, name, 0.01)
        self.failures = failures
        self.rounds = self.resets = 0

    async def round(self, connection: Connection) -> bool:
        if self.failures:
            raise self.failures.pop()
        self.rounds += 1
        return False

    def reset(self) -> None:
        self.resets += 1


async def until_it_works(task: Rounds, rounds: int = 1) -> None:
    """Waits until the task has done so many more rounds."""
    wanted = task.rounds + rounds
    async with asyncio.timeout(60):
        while task.rounds < wanted:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_rounds_go_on_after_a_failure(servers: Endpoints, failure: Exception) -> None:
    task = Rounds(servers.postgres, uuid4().hex, [failure])
    await task.start()
    try:
        await until_it_works(task)
    finally:
        await task.stop()
    assert task.resets == 2, "what was read before the failure counts no more"


async def test_one_process_is_the_leader_and_the_next_takes_over(servers: Endpoints) -> None:
    name = uuid4().hex
    tasks = [Rounds(servers.postgres, name, []) for _ in range(3)]
    for task in tasks:
        await task.start()
    try:
        while tasks:
            async with asyncio.timeout(60):
                while not any(task.rounds for task in tasks):
                    await asyncio.sleep(0.02)
            leader = max(tasks, key=lambda task: task.rounds)
            await until_it_works(leader, 20)
            assert [task for task in tasks if task.rounds] == [leader]
            await leader.stop()
            tasks.remove(leader)
    finally:
        for task in tasks:
            await task.stop()


async def test_every_process_does_what_needs_no_leader(servers: Endpoints) -> None:
    class Everywhere(Rounds):
        leader_only = False

    name = uuid4().hex
    tasks = [Everywhere(servers.postgres, name, []) for _ in range(2)]
    for task in tasks:
        await task.start()
    try:
        for task in tasks:
            await until_it_works(task)
    finally:
        for task in tasks:
            await task.stop()


async def test_a_worker_takes_its_next_turn_after_an_unforeseen_failure(servers: Endpoints) -> None:
    class Turns(Worker):
        turns = 0

        async def turn(self, connection: Connection) -> None:
            self.turns += 1
            raise ValueError

    worker = Turns(servers.postgres, uuid4().hex, 0.01)
    await worker.start()
    try:
        async with asyncio.timeout(60):
            while worker.turns < 3:
                await asyncio.sleep(0.02)
    finally:
        await worker.stop()
