"""One shop for all situations: real servers, a gateway, a projector, deciders and an API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from infra.home import free_port
from tests.services.rebuild.road import Road, road

pytest.register_assert_rewrite(
    *(
        f"tests.situations.{name}"
        for name in (
            "answers",
            "clocks",
            "codes",
            "corrections",
            "found_codes",
            "days",
            "found_days",
            "found_corrections",
            "found_programs",
            "found_receipts",
            "found_stock",
            "people",
            "programs",
            "receipts",
            "stock",
        )
    )
)
from tests.situations.answers import Shop  # noqa: E402
from tests.situations.settling import Settling  # noqa: E402
from tests.situations.wire import Addresses, Wire  # noqa: E402

TOKENS = {"operator": "operator-token-of-the-situations"}
RULES = {"earn": [{"points": 1, "per": 100}], "return_policy": "go_negative"}
BEGINNING = "2020-01-01T00:00:00Z"
SECONDS = 90.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    """Servers of these tests alone."""
    with road(tmp_path_factory.mktemp("situations"), TOKENS) as own:
        yield own


@pytest.fixture(scope="module")
def wire(stack: Road) -> Iterator[Wire]:
    """The line to a stack whose program gives 1 point per 100 yen."""
    line = Wire(_started(stack))
    try:
        _open_shop(line)
        yield line
    finally:
        line.close()


@pytest.fixture(scope="module")
def settling(wire: Wire, stack: Road) -> Iterator[Settling]:
    """Tells when points were decided."""
    found = Settling(wire, stack.endpoints)
    yield found
    found.close()


@pytest.fixture
def shop(wire: Wire, settling: Settling) -> Shop:
    """The shop, as a row finds it: every row has its own items, members and transactions."""
    return Shop(wire, settling)


def _started(own: Road) -> Addresses:
    own.start("projector")
    urls = []
    for name in ("gateway", "api", "commands"):
        port = free_port()
        own.start(name, HITOTSU_PORT=str(port), HITOTSU_ACCRUAL="rules")
        urls.append(f"http://127.0.0.1:{port}")
    deadline = time.monotonic() + SECONDS
    for url in urls:
        while not _ready(url):
            assert time.monotonic() < deadline, f"{url} is not ready"
            time.sleep(0.05)
    gateway, api, commands = urls
    return Addresses(gateway, api, commands, TOKENS["operator"])


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _open_shop(line: Wire) -> None:
    """The rules of the program, and what satisfies a need for how long."""
    producer = {"system": "backoffice", "channel": "HEAD_OFFICE"}

    def told(name: str, /, **fields: object) -> dict[str, object]:
        meta = {"event_id": str(uuid4()), "occurred_at": BEGINNING, "producer": producer}
        return {"type": name, "meta": meta, "valid_from": BEGINNING} | fields

    line.send([
        told("ProgramRulesSet", program_id="hitotsu-points", version="1", accrual="RULES",
             rules=json.dumps(RULES)),
        told("NeedPolicySet", policy_id="clothes", category="clothes", kind="DURABLE",
             reach="SKU", interval_days=365),
    ])  # fmt: skip
    line.ask("/v1/stock")
