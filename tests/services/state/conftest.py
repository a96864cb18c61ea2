"""A database of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra.backend import Endpoints


@pytest.fixture
def database(servers: Endpoints) -> Iterator[str]:
    """The address of an empty database, which is dropped after the test."""
    name = f"migrated_{uuid4().hex[:12]}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield make_conninfo(servers.postgres, dbname=name)
        connection.execute(f"drop database {name} with (force)".encode())
