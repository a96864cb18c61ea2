"""Checks that a server answers in its protocol."""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from urllib.parse import urlsplit

import psycopg
import redis
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError

DEFAULT_PORTS = {"kafka": 9092, "postgres": 5432, "redis": 6379, "registry": 8080}


def obstacle(server: str, url: str) -> str | None:
    """None if the server answers; otherwise the reason, without the URL's user and password."""
    ask = {"kafka": _kafka, "postgres": _postgres, "redis": _redis, "registry": _registry}
    try:
        ask[server](url)
    except (OSError, ValueError, KafkaError, psycopg.Error, redis.RedisError) as error:
        lines = str(error).strip().splitlines()
        # libpq quotes a malformed URL in its error
        return re.sub(r'[^\s"]*@', "", lines[0]) if lines else type(error).__name__
    return None


def wait(server: str, url: str, seconds: float) -> str | None:
    """Retries for up to `seconds`; returns None once the server answers, else the last reason."""
    deadline = time.monotonic() + seconds
    while (reason := obstacle(server, url)) is not None and time.monotonic() < deadline:
        time.sleep(0.2)
    return reason


def address(server: str, url: str) -> str:
    """host:port of a server's URL; of Kafka's list the first one."""
    parts = urlsplit(f"kafka://{url.split(',')[0]}" if server == "kafka" else url)
    return f"{parts.hostname or '127.0.0.1'}:{parts.port or DEFAULT_PORTS[server]}"


def _kafka(url: str) -> None:
    async def ask() -> None:
        client = AIOKafkaClient(bootstrap_servers=url, request_timeout_ms=5000)
        try:
            await client.bootstrap()
        finally:
            await client.close()

    asyncio.run(ask())


def _postgres(url: str) -> None:
    psycopg.connect(url, connect_timeout=5).close()


def _redis(url: str) -> None:
    client = redis.Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=5.0)
    client.ping()
    client.close()


def _registry(url: str) -> None:
    urllib.request.urlopen(f"{url}/subjects", timeout=5).close()
