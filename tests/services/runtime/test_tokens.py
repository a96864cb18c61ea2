"""Are callers told apart, also while Postgres is away, and is an ended token really over?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest

from services.cli.local_services import TOKENS
from services.runtime.db import pool
from services.runtime.tokens import (
    Token,
    Tokens,
    TokensUnavailable,
    allows,
    create,
    register,
    revoke,
)
from services.state.migrate import migrate

TILL = Token("till", frozenset({"events:write", "channel:STORE", "store:*"}))


def test_a_limit_allows_its_value_or_all() -> None:
    assert TILL.within("channel", "STORE")
    assert not TILL.within("channel", "EC")
    assert TILL.within("store", None)
    assert not TILL.within("system", "pos")
    assert TILL.may("events:write")
    assert not TILL.may("operations")


def test_who_reads_members_reads_their_purchases_too() -> None:
    assert allows({"members:read"}, "purchases:read")
    assert allows({"purchases:read"}, "purchases:read")
    assert not allows({"purchases:read"}, "members:read")
    assert not allows({"purchases:claim", "events:write"}, "purchases:read")


@pytest.mark.parametrize("name", ["till", "ec"])
def test_who_takes_goods_back_finds_their_sale_but_no_customers(name: str) -> None:
    ready = Token(name, frozenset(TOKENS[name]))
    assert ready.may("purchases:read")
    assert not ready.may("members:read")


def test_an_unknown_scope_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="unknown scope: points:write"):
        register(None, "x", ["points:write"], "token")  # type: ignore[arg-type]


def test_without_a_first_reading_nobody_is_known() -> None:
    async def ask(tokens: Tokens) -> None:
        with pytest.raises(TokensUnavailable):
            await tokens.of("anything")

    _with_tokens("postgresql://nobody@127.0.0.1:9/none", ask)


@pytest.mark.servers
def test_a_token_is_valid_from_its_making_to_its_end(servers: Any) -> None:
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        migrate(connection)
        first = create(connection, "test-token", ["members:read"])
        second = create(connection, "test-token", ["members:read", "store:S1"])

    async def ask(tokens: Tokens) -> None:
        assert await tokens.of(first) is None
        known = await tokens.of(second)
        assert known is not None
        assert (known.name, known.scopes) == ("test-token", frozenset({"members:read", "store:S1"}))
        with psycopg.connect(servers.postgres, autocommit=True) as connection:
            assert revoke(connection, "test-token")
            assert not revoke(connection, "test-token")
        async with asyncio.timeout(5):
            while await tokens.of(second) is not None:
                await asyncio.sleep(0.01)

    _with_tokens(servers.postgres, ask)


@pytest.mark.servers
def test_a_known_token_is_known_while_postgres_is_away(servers: Any) -> None:
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        migrate(connection)
        token = create(connection, "test-away", ["members:read"])

    async def ask(tokens: Tokens) -> None:
        assert await tokens.of(token) is not None
        await tokens._pool.close()
        for _ in range(3):
            assert await tokens.of(token) is not None
            await asyncio.sleep(0.1)
        assert await tokens.of("a stranger") is None

    _with_tokens(servers.postgres, ask)


@pytest.mark.servers
def test_after_a_pause_a_revoked_token_is_refused_at_once(servers: Any) -> None:
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        migrate(connection)
        token = create(connection, "test-pause", ["members:read"])

    async def ask(tokens: Tokens) -> None:
        assert await tokens.of(token) is not None
        with psycopg.connect(servers.postgres, autocommit=True) as connection:
            revoke(connection, "test-pause")
        await asyncio.sleep(0.3)  # nobody asks for longer than two refresh intervals
        first = await asyncio.gather(*(tokens.of(token) for _ in range(20)))
        assert first == [None] * 20

    _with_tokens(servers.postgres, ask)


@pytest.mark.servers
def test_what_was_known_does_not_count_for_ever_while_postgres_is_away(servers: Any) -> None:
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        migrate(connection)
        token = create(connection, "test-oldest", ["members:read"])

    async def ask(tokens: Tokens) -> None:
        tokens = Tokens(tokens._pool, refresh=0.05, patience=1.0, oldest=3.0)
        assert await tokens.of(token) is not None
        await tokens._pool.close()
        assert await tokens.of(token) is not None
        await asyncio.sleep(3.2)
        with pytest.raises(TokensUnavailable):
            await tokens.of(token)

    _with_tokens(servers.postgres, ask)


def test_a_token_that_appends_has_a_role() -> None:
    with pytest.raises(ValueError, match="events:write needs a role"):
        register(None, "x", ["events:write"], "token")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown role: boss"):
        register(None, "x", ["events:write"], "token", "boss")  # type: ignore[arg-type]


def _with_tokens(dsn: str, ask: Callable[[Tokens], Awaitable[None]]) -> None:
    async def main() -> None:
        connections = pool(dsn, size=2, timeout=0.5)
        await connections.open(wait=False)
        try:
            await ask(Tokens(connections, refresh=0.05, patience=1.0))
        finally:
            await connections.close(timeout=1.0)

    asyncio.run(main())
