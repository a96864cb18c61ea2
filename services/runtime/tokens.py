"""Who is calling, and what may they do? Bearer tokens with scopes, kept as hashes in Postgres.

A token is 32 random bytes, so a plain SHA-256 is enough to keep it; it is shown once.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg

from services.runtime.db import Pool
from services.runtime.logging import log

API_TOKEN_DDL = """
CREATE TABLE IF NOT EXISTS hitotsu.api_token (
    token_hash bytea PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
)
"""
_PLAIN = frozenset(
    {
        "events:write",
        "events:read",
        "identity:decide",
        "identity:review",
        "identity:search",
        "inquiries:read",
        "members:read",
        "members:personal",
        "operations",
        "points:read",
        "points:redeem",
        "recommendations:read",
        "stock:read",
        "stock:reserve",
    }
)
_LIMITS = ("channel:", "system:", "store:")


@dataclass(frozen=True, slots=True)
class Token:
    """A caller: its name in logs and limits, and what it may do."""

    name: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Whether this very scope was given."""
        return scope in self.scopes

    def within(self, kind: str, value: str | None) -> bool:
        """Whether a producer's limit (`channel`, `system`, `store`) allows this value."""
        return f"{kind}:*" in self.scopes or (
            value is not None and f"{kind}:{value}" in self.scopes
        )


class TokensUnavailable(Exception):
    """Postgres is away and no token was ever read, so nobody can be told from a stranger."""


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def register(conn: psycopg.Connection, name: str, scopes: Iterable[str], token: str) -> None:
    """Makes a token known (or known again, with these scopes) under a name."""
    wanted = sorted(set(scopes))
    for scope in wanted:
        limit = scope.startswith(_LIMITS) and not scope.endswith(":")
        if scope not in _PLAIN and not limit:
            raise ValueError(f"unknown scope: {scope}")
    conn.execute(
        "INSERT INTO hitotsu.api_token (token_hash, name, scopes) VALUES (%s, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET token_hash = excluded.token_hash,"
        " scopes = excluded.scopes, created_at = now(), revoked_at = NULL",
        (_hash(token), name, wanted),
    )


def create(conn: psycopg.Connection, name: str, scopes: Iterable[str]) -> str:
    """Gives a new token to a name; what the name had before is no longer valid."""
    token = "hitotsu_" + secrets.token_urlsafe(32)
    register(conn, name, scopes, token)
    return token


def revoke(conn: psycopg.Connection, name: str) -> bool:
    """Ends a name's token; false when there was none."""
    query = "UPDATE hitotsu.api_token SET revoked_at = now() WHERE name = %s AND revoked_at IS NULL"
    return conn.execute(query, (name,)).rowcount == 1


class Tokens:
    """All valid tokens in memory, read again in the background; survives Postgres being away."""

    def __init__(self, pool: Pool, refresh: float = 5.0, patience: float = 2.0) -> None:
        self._pool = pool
        self._refresh = refresh
        self._patience = patience
        self._known: dict[bytes, Token] | None = None
        self._asked_at = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def of(self, bearer: str) -> Token | None:
        """The caller behind a bearer token; None for a stranger."""
        digest = _hash(bearer)
        age = time.monotonic() - self._asked_at
        token = self._known.get(digest) if self._known is not None else None
        if token is None and (self._known is None or age > 0.5):
            await self._read_now()
            token = self._known.get(digest) if self._known is not None else None
        elif age > self._refresh:
            self._begin()
        if token is None and self._known is None:
            raise TokensUnavailable
        return token

    async def _read_now(self) -> None:
        # Not `wait_for`: psycopg may never return from a cancellation while a server is frozen.
        await asyncio.wait({self._begin()}, timeout=self._patience)

    def _begin(self) -> asyncio.Task[None]:
        if self._reading is None or self._reading.done():
            self._asked_at = time.monotonic()
            self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        query = "SELECT token_hash, name, scopes FROM hitotsu.api_token WHERE revoked_at IS NULL"
        try:
            async with self._pool.connection() as conn:
                rows = await (await conn.execute(query)).fetchall()
        except (psycopg.Error, OSError) as error:
            log.warning("tokens could not be read", error=type(error).__name__)
            return
        self._known = {bytes(row[0]): Token(row[1], frozenset(row[2])) for row in rows}
