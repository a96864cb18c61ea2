"""What does a start read and import? No contract twice, and no client that is not used."""

from __future__ import annotations

import subprocess
import sys

import pytest
from redis.asyncio.connection import SSLConnection, parse_url

from services.reading.redis_url import RedisAddress, address_of

OPENED = """
import collections, sys
opened = collections.Counter()
def heard(event, arguments):
    if event == "open" and str(arguments[0]).endswith((".avsc", "topic.json")):
        opened[str(arguments[0])] += 1
sys.addaudithook(heard)
import schemas.topics, schemas.rights
assert len(opened) > 30, opened
print(max(opened.values()))
"""


def _said(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_topics_and_rights_read_each_contract_once() -> None:
    assert _said(OPENED) == "1"


def test_the_read_api_starts_without_the_redis_client() -> None:
    code = "import sys, services.api.__main__; print('redis' in sys.modules)"
    assert _said(code) == "False"


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost", "redis://:secret@127.0.0.1:7000/3", "redis://me:p%40ss@host/", "redis://",
        "rediss://host:6380/2", "unix:///tmp/r%20s.sock?db=4", "redis://h/1?db=5", "redis://h/no",
        "unix://u:p@/tmp/x.sock", "redis://[::1]:6379/0", "redis://h?username=a&password=b",
    ],
)  # fmt: skip
def test_an_address_is_read_as_the_client_library_reads_it(url: str) -> None:
    told = dict(parse_url(url))
    secure = told.pop("connection_class", None) is SSLConnection
    known = {name: told[name] for name in told if name in RedisAddress.__dataclass_fields__}
    assert address_of(url) == RedisAddress(**{**known, "secure": secure})


def test_another_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="redis://"):
        address_of("http://localhost")
