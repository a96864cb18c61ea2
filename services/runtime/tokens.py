"""Bearer tokens: they identify callers and say what these may do. Postgres stores their hashes.

Scopes say which routes a caller may use, and for which channels, systems and stores it may send.
Its role says which events it may append (`schemas/rights.py`).

A token is 32 random bytes, so an unsalted SHA-256 is safe to store; the token is displayed once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime

import psycopg

from schemas.codes import upper_code
from schemas.rights import ROLES, Role
from services.runtime.cached_table import CachedValue
from services.runtime.db import Pool

# every scope that a token can have, with what it allows
SCOPES: dict[str, str] = {
    "discrepancies:settle": "Settle discrepancies; a token limited to stores: only theirs.",
    "events:write": "Append events, as far as the token's role and limits allow.",
    "events:read": "Ask where an event is, and whether it was applied.",
    "identity:decide": "Link, unlink and decline; close cases.",
    "identity:review": "Read the queue of cases and their evidence.",
    "identity:search": "Search for profiles of a customer before a new one is created.",
    "inquiries:read": "Read inquiries.",
    "members:read": "Read members, without personal values.",
    "members:personal": "Read personal values in clear, with a purpose.",
    "operations": "Read receipt gaps, quarantined identifiers, shortages.",
    "points:read": "Read balances and entries.",
    "points:redeem": "Hold, capture, release and redeem points; quote returns.",
    "purchases:claim": "Claim guests' purchases for profiles.",
    "purchases:read": "Find and read purchases; `members:read` allows it too.",
    "recommendations:read": "Filter candidates for recommendations.",
    "stock:read": "Read stock.",
    "stock:reserve": "Reserve units, commit and release reservations.",
}
# scopes that another scope allows as well
_ALLOWED_BY = {"purchases:read": "members:read"}
_LIMITS = ("channel:", "system:", "store:")
WRITES = "events:write"


def allows(scopes: Container[str], scope: str) -> bool:
    """Whether a token that has `scopes` may do what `scope` says."""
    return scope in scopes or _ALLOWED_BY.get(scope, scope) in scopes


@dataclass(frozen=True, slots=True)
class Token:
    """A caller: its name (for logs and rate limits), scopes and role."""

    name: str
    scopes: frozenset[str]
    role: str | None = None

    def may(self, scope: str) -> bool:
        """Whether the token's scopes allow what this scope says."""
        return allows(self.scopes, scope)

    @property
    def any_store(self) -> bool:
        """Whether the token is not limited to particular stores."""
        return "store:*" in self.scopes

    def within(self, kind: str, value: str | None) -> bool:
        """Whether the token may send for this `channel`, `system` or `store` (`kind`).

        `value` None: whether it may send for all of them.
        """
        if f"{kind}:*" in self.scopes:
            return True
        if value is None:
            return False
        # a store is the same store in upper and lower case
        return f"{kind}:{value}" in self.scopes or (
            kind == "store" and upper_code(value) in self._stores()
        )

    def _stores(self) -> set[str]:
        return {upper_code(one[6:]) for one in self.scopes if one.startswith("store:")}


class TokensUnavailable(Exception):
    """Callers cannot be checked: no tokens are cached, or too old ones, and Postgres is away."""


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class TokenListing:
    """A token's row for display, without the hash; `revoked_at` None: it is valid."""

    name: str
    role: str | None
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


def register(
    conn: psycopg.Connection,
    name: str,
    scopes: Iterable[str],
    token: str,
    role: Role | None = None,
) -> None:
    """Stores a token for the caller `name`, whose earlier token becomes invalid.

    Raises ValueError for an unknown scope or role, and for `events:write` without a role.
    """
    values = (_hash(token), name, checked(scopes, role), role)
    conn.execute(
        "INSERT INTO hitotsu.api_token (token_hash, name, scopes, role) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET token_hash = excluded.token_hash,"
        " scopes = excluded.scopes, role = excluded.role, created_at = now(), revoked_at = NULL",
        values,
    )


def register_new(
    conn: psycopg.Connection,
    name: str,
    scopes: Iterable[str],
    token: str,
    role: Role | None = None,
) -> None:
    """Like `register`, but changes nothing if the caller has another token or a revoked one.

    If the caller has this token and it is valid, scopes and role are updated.
    """
    values = (_hash(token), name, checked(scopes, role), role)
    conn.execute(
        "INSERT INTO hitotsu.api_token (token_hash, name, scopes, role) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (name) DO UPDATE SET scopes = excluded.scopes, role = excluded.role"
        " WHERE api_token.token_hash = excluded.token_hash AND api_token.revoked_at IS NULL",
        values,
    )


def checked(scopes: Iterable[str], role: Role | None) -> list[str]:
    """The scopes, sorted and without duplicates.

    Raises ValueError for an unknown scope or role, and for `events:write` without a role.
    """
    wanted = sorted(set(scopes))
    for scope in wanted:
        limit = scope.startswith(_LIMITS) and not scope.endswith(":")
        if scope not in SCOPES and not limit:
            raise ValueError(f"unknown scope: {scope}")
    if role is not None and role not in ROLES:
        raise ValueError(f"unknown role: {role}; there are {', '.join(ROLES)}")
    if role is None and WRITES in wanted:
        raise ValueError(f"{WRITES} needs a role: {', '.join(ROLES)}")
    return wanted


def role_for(scopes: Iterable[str]) -> Role | None:
    """The default role of the scopes' only channel: `till` for STORE, `ec` for EC; else None."""
    channels = {scope for scope in scopes if scope.startswith("channel:")}
    by_channel: dict[str, Role] = {"channel:STORE": "till", "channel:EC": "ec"}
    return by_channel.get(channels.pop()) if len(channels) == 1 else None


def create(
    conn: psycopg.Connection, name: str, scopes: Iterable[str], role: Role | None = None
) -> str:
    """Creates and returns a token for the caller `name`, whose earlier token becomes invalid."""
    token = new_token()
    register(conn, name, scopes, token, role)
    return token


def new_token() -> str:
    """A new random token."""
    return "hitotsu_" + secrets.token_urlsafe(32)


def revoke(conn: psycopg.Connection, name: str) -> bool:
    """Revokes a name's token; False when the name has no valid token."""
    query = "UPDATE hitotsu.api_token SET revoked_at = now() WHERE name = %s AND revoked_at IS NULL"
    return conn.execute(query, (name,)).rowcount == 1


def listed(conn: psycopg.Connection) -> list[TokenListing]:
    """All tokens, also revoked ones, sorted by name."""
    query = "SELECT name, role, scopes, created_at, revoked_at FROM hitotsu.api_token ORDER BY name"
    rows = conn.execute(query).fetchall()
    return [TokenListing(name, role, tuple(scopes), *times) for name, role, scopes, *times in rows]


class Tokens:
    """All valid tokens, cached in memory and refreshed in the background.

    A revoked token is refused after two refresh intervals at the latest. While Postgres is
    unreachable, cached tokens stay valid for an hour.
    """

    def __init__(
        self, pool: Pool, refresh: float = 5.0, patience: float = 2.0, oldest: float = 3_600.0
    ) -> None:
        """Times in seconds, as in `CachedValue`."""
        self._pool = pool
        self._known = CachedValue(self._read, "tokens", refresh, patience, oldest)

    async def of(self, bearer: str) -> Token | None:
        """The caller with this bearer token; None when the token is unknown or revoked.

        Raises TokensUnavailable.
        """
        digest = _hash(bearer)
        known = await self._known.get()
        token = known.get(digest) if known is not None else None
        if token is None:  # it may have been created a moment ago
            known = await self._known.again()
            token = known.get(digest) if known is not None else None
        if known is None:
            raise TokensUnavailable
        return token

    async def check(self) -> None:
        """Readiness check: raises TokensUnavailable, with the name of the error, if no tokens are
        cached and they cannot be read.
        """
        if self._known.known is None and await self._known.get() is None:
            raise TokensUnavailable(self._known.failure or "no answer")

    async def _read(self) -> dict[bytes, Token]:
        query = (
            "SELECT token_hash, name, scopes, role FROM hitotsu.api_token WHERE revoked_at IS NULL"
        )
        async with self._pool.connection() as conn:
            rows = await (await conn.execute(query)).fetchall()
        return {bytes(row[0]): Token(row[1], frozenset(row[2]), row[3]) for row in rows}
