"""Does a transaction survive a computation that is longer than Postgres lets it idle?"""

from __future__ import annotations

import time

import psycopg
import pytest

from infra.backend import Endpoints
from services.projector import document_sets
from services.projector.document_sets import Heartbeat

pytestmark = pytest.mark.servers
IDLE = "set idle_in_transaction_session_timeout = '500ms'"


def computed(connection: psycopg.Connection[tuple[object, ...]], beats: bool) -> None:
    """A computation of a second inside a transaction."""
    heart = Heartbeat(connection)
    for _ in range(20):
        time.sleep(0.05)
        if beats:
            heart.beat()


def test_a_long_computation_keeps_its_transaction(
    servers: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_sets, "ALIVE_SECONDS", 0.1)
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(IDLE)
        with connection.transaction():
            computed(connection, beats=True)
            assert connection.execute("select 1").fetchone() == (1,)
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(IDLE)
        with pytest.raises(psycopg.Error), connection.transaction():
            computed(connection, beats=False)
            connection.execute("select 1")
