"""Where is Redis, by its URL? As the client library reads it, whose import costs half a start."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

SCHEMES = ("redis", "rediss", "unix")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A server, who to be there, and the database. `path`: of a Unix socket, else None."""

    host: str = "localhost"
    port: int = 6379
    path: str | None = None
    secure: bool = False
    username: str | None = None
    password: str | None = None
    db: int = 0


def address_of(url: str) -> RedisAddress:
    """The parts of `redis://`, `rediss://` (TLS) or `unix://`; ValueError for any other URL.

    `db`, `username` and `password` may also stand in the query, where they go first.
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
