"""Parses a Redis URL as the client library redis-py does.

Importing redis-py for this would double the time in which the process starts.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

SCHEMES = ("redis", "rediss", "unix")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Server, credentials and database number. `path`: of a Unix socket; None for TCP."""

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    secure: bool = False
    username: str | None = None
    password: str | None = None
    db: int = 0


def address_of(url: str) -> RedisAddress:
    """Parses `redis://`, `rediss://` (TLS) or `unix://`; raises ValueError for any other URL.

    `db`, `username` and `password` may also be query parameters. A `db` there takes precedence;
    user name and password before the host take precedence over the query.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not url.startswith(f"{parts.scheme}://"):
        raise ValueError(f"a Redis URL begins with {', '.join(f'{it}://' for it in SCHEMES)}")
    asked = {name: unquote(values[0]) for name, values in parse_qs(parts.query).items()}
    unix = parts.scheme == "unix"
    db = 0
    if "db" in asked:
        db = int(asked["db"])
    elif not unix:
        with suppress(ValueError):
            db = int(unquote(parts.path).replace("/", ""))
    username = unquote(parts.username) if parts.username else asked.get("username")
    password = unquote(parts.password) if parts.password else asked.get("password")
    return RedisAddress(
        host=unquote(parts.hostname) if parts.hostname and not unix else "localhost",
        port=parts.port if parts.port and not unix else 6379,
        path=unquote(parts.path) if unix else None, secure=parts.scheme == "rediss",
        username=username, password=password, db=db,
    )  # fmt: skip
