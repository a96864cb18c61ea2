"""Empty servers for a module's tests, without starting new ones for every module.

Starting Kafka, Postgres and Valkey takes six seconds on an idle machine; emptying them takes half
a second. A worker keeps the servers that were handed back and empties them for the next module.
Tests that kill, freeze or configure servers start a `Stack` of their own instead.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from psycopg import sql
from redis import Redis

from infra.stack import Stack

_idle: list[Stack] = []
_folders: list[Path] = []
SECONDS = 10.0
OWN_SCHEMAS = """
select nspname from pg_namespace
where nspname not like 'pg\\_%' and nspname not in ('information_schema', 'public')
"""
OTHERS = """
select pg_terminate_backend(pid) from pg_stat_activity
where pid <> pg_backend_pid() and backend_type = 'client backend'
"""


@contextmanager
def empty_servers() -> Iterator[Stack]:
    """A started stack without registry and services; nothing is in its servers."""
    stack = _idle.pop() if _idle else _started()
    before = _processes(stack)
    try:
        yield stack
    finally:
        if _processes(stack) == before and None not in before.values() and _emptied(stack):
            _idle.append(stack)
        else:
            stack.stop(purge=True)


def _started() -> Stack:
    if not _folders:
        atexit.register(_stop_all)
    folder = Path(tempfile.mkdtemp(prefix="hitotsu-servers-"))
    _folders.append(folder)
    stack = Stack(folder / "stack", provider="auto", registry=False)
    try:
        stack.start_servers()
    except BaseException:
        stack.stop(purge=True)
        raise
    return stack


def _processes(stack: Stack) -> dict[str, object]:
    return {name: server["pid"] for name, server in stack.status()["servers"].items()}


def _emptied(stack: Stack) -> bool:
    """Takes everything out of the servers; False when that fails, so that they are given up."""
    endpoints = stack.endpoints()
    try:
        with psycopg.connect(endpoints.postgres, autocommit=True, connect_timeout=5) as connection:
            connection.execute(OTHERS)
            for (name,) in connection.execute(OWN_SCHEMAS.encode()).fetchall():
                connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(name)))
        with Redis.from_url(endpoints.redis) as redis:
            redis.flushall()
        return _without_topics(AdminClient({"bootstrap.servers": endpoints.kafka, "log_level": 0}))
    except (psycopg.Error, KafkaException, OSError):
        return False


def _without_topics(kafka: AdminClient) -> bool:
    until = time.monotonic() + SECONDS
    while names := [name for name in kafka.list_topics(timeout=5).topics if name[:2] != "__"]:
        if time.monotonic() > until:
            return False
        for deletion in kafka.delete_topics(names, operation_timeout=5).values():
            deletion.result()
    return True


def _stop_all() -> None:
    for stack in _idle:
        stack.stop(purge=True)
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
