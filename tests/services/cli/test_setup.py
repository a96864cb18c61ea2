"""Tables of another version than the code are one sentence, with the verb that mends them."""

from __future__ import annotations

import base64

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra.backend import Endpoints, ProviderError
from projections import discover
from projections.core.fold import Group
from services.cli import setup
from services.projector import database
from services.runtime.config import Settings


@pytest.mark.servers
def test_tables_of_another_version_are_named_with_what_to_run(servers: Endpoints) -> None:
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute("create database of_another_version")
    dsn = make_conninfo(servers.postgres, dbname="of_another_version")
    database.prepare(dsn, Group("main", [one for one in discover() if one.group == "main"]))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "update hitotsu.projection_version set version = 0 where projection = 'terminal_gaps'"
        )
    key = base64.b64encode(bytes(32)).decode()
    keys = dict.fromkeys(("key_encryption_key", "blind_index_key", "gateway_private_key"), key)
    settings = Settings.model_validate({"postgres": dsn, "kafka": servers.kafka, **keys})
    with pytest.raises(ProviderError, match=r"terminal_gaps .* version 0: run `hitotsu rebuild`"):
        setup.prepare(settings)
