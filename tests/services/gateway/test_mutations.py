"""Does anything that can be sent break the gateway? Thousands of mutated bodies say no."""

from __future__ import annotations

import json
import random
from typing import Any

import psutil
import pytest

from tests.services.gateway.running import Gateway, event

pytestmark = pytest.mark.servers
NAMES = ("PurchaseCompleted", "ProfileRegistered", "PointsEarned", "StockAdjusted", "InquiryOpened")
ODD: list[Any] = [
    None, True, -1, 0, 2**31, 2**63, 2**64, -(2**63) - 1, 1e308, 0.1, "", "\0", "\ud800",
    "\uff19" * 9, "x" * 70_000, [], {}, [[]], {"": {}}, "null", "1970-01-01", "9999-12-31T23:59:60",
]  # fmt: skip
SPLICES = (b"\0", b"\xff", b'"', b"{", b"]", b"NaN", b"1e999", b"\\ud800", b"\\u0000", b"[" * 5_000)


@pytest.mark.parametrize("bodies", [2_000, pytest.param(5_000, marks=pytest.mark.long)])
def test_mutated_bodies_are_answered_and_memory_stays_flat(gateway: Gateway, bodies: int) -> None:
    random_ = random.Random(20261122)
    process = psutil.Process(gateway.process.pid)
    statuses: set[int] = set()
    sizes = []
    for number in range(bodies):
        answer = gateway.post(_mutated(random_), Content_Type=_type(random_))
        statuses.add(answer.status_code)
        assert answer.status_code == 202 or 400 <= answer.status_code < 500, answer.text
        answer.json()
        if number in (bodies // 5, bodies - 1):
            sizes.append(process.memory_info().rss)
    assert statuses >= {202, 400, 422}
    assert sizes[1] - sizes[0] < 30_000_000
    assert "Traceback" not in gateway.log()
    assert "request_failed" not in gateway.log()


def _type(random_: random.Random) -> str:
    others = ("application/x-ndjson", "application/vnd.hitotsu.sealed+json")
    return random_.choice(others) if random_.random() < 0.1 else "application/json"


def _mutated(random_: random.Random) -> bytes:
    events = [event(random_.choice(NAMES)) for _ in range(random_.randint(1, 3))]
    if random_.random() < 0.6:
        _change(random_, random_.choice(events))
        return json.dumps(events).encode()
    body = bytearray(json.dumps(events, ensure_ascii=False).encode())
    for _ in range(random_.randint(1, 3)):
        at = random_.randrange(len(body))
        kind = random_.randrange(4)
        if kind == 0:
            body[at] ^= 1 << random_.randrange(8)
        elif kind == 1:
            del body[at : at + random_.randint(1, 40)]
        elif kind == 2:
            body[at:at] = random_.choice(SPLICES)
        else:
            body[at:at] = body[at : at + random_.randint(1, 200)]
    return bytes(body)


def _change(random_: random.Random, target: Any) -> None:
    """Puts something odd in a random place, however deep."""
    while True:
        keys = list(target) if isinstance(target, dict) else list(range(len(target)))
        if not keys:
            return
        key = random_.choice(keys)
        if isinstance(target[key], dict | list) and target[key] and random_.random() < 0.7:
            target = target[key]
            continue
        if isinstance(target, dict) and random_.random() < 0.2:
            del target[key]
        else:
            target[key] = random_.choice(ODD)
        return
