"""Does anything that tills, web shops or Kafka clients send stop the road, or get lost on it?"""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from confluent_kafka import Producer

from infra.stack import ROOT, Stack
from schemas.topics import DEAD_LETTERS
from schemas.wire import codec
from schemas.wire.codec import Undecodable
from services.sdk import Buffer, uuid7
from tests.e2e.mutants import Mutant, Mutants
from tests.e2e.reading import Staff
from tests.e2e.till import SALES, sale
from tests.e2e.verdicts import Place, Projected, eventually
from tests.services.gateway import test_mutations as bodies

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600), pytest.mark.long]
ROUNDS, A_ROUND = 5, 1_000
SEED = 20261122
SERVICES = ("gateway", "projector-1", "projector-2", "api")
FLAT = 30_000_000
LONGEST_PATH = 60_000
NOWHERE = "http://127.0.0.1:9"
log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def projected(stack: Stack) -> Projected:
    return Projected(stack.status())


def test_ten_thousand_mutated_bodies_and_values_stop_nothing_and_each_has_its_verdict(
    stack: Stack, projected: Projected
) -> None:
    before = processes(stack)
    drawn, draw = random.Random(SEED), Mutants(SEED)
    answers: Counter[int] = Counter()
    sent: dict[Place, Mutant] = {}
    sizes: list[dict[str, int]] = []
    for _ in range(ROUNDS):
        answers += posted(stack, drawn)
        sent |= appended(stack, list(draw.draw(A_ROUND)))
        projected.everything()
        sizes.append(resident(stack))
    assert sum(answers.values()) == len(sent) == ROUNDS * A_ROUND
    sent |= appended(stack, [Mutant(DEAD_LETTERS, None, value, []) for value in draw.garbage(200)])
    records = projected.everything()
    assert set(answers) >= {202, 400, 422}
    assert all(status == 202 or 400 <= status < 500 for status in answers), answers
    verdicts = verdicts_of(sent, projected)
    log.info("answers %s; verdicts %s; resident %s", answers, verdicts, sizes)
    assert min(verdicts[one] for one in ("applied", "duplicate", "conflict", "dead letter")) > 50
    counts = projected.counts()
    assert sum(counts.values()) == records
    assert all(counts[name.replace(" ", "_")] >= count for name, count in verdicts.items())
    assert counts["conflict"] + counts["dead_letter"] == len(projected.buried())
    assert processes(stack) == before, "a service was started again"
    for name in ("gateway", "projector-1", "projector-2"):
        assert sizes[-1][name] - sizes[1][name] < FLAT, f"{name} grows: {sizes}"
    assert "Traceback" not in logs(stack)
    assert readable(stack) > 30


def test_a_till_that_was_offline_and_killed_on_the_way_sells_every_unit_once(
    stack: Stack, projected: Projected, tmp_path: Path
) -> None:
    sku, terminal, path = f"till-{uuid7()}", uuid7(), tmp_path / "till.buffer"
    own = (str(path), terminal, sku)
    next_receipt = 0
    for until in (300, 650, SALES):
        next_receipt = sold_until(stack, own, next_receipt, until)
    buffer = Buffer(path, sealing_key(stack))
    assert len(buffer) >= SALES
    for left in (800, 500, 200):
        killed_while_flushing(stack, own, buffer, left)
        assert 0 < len(buffer) <= left
    with till(stack, own, stack.status()["services"]["gateway"]["url"], "flush") as last:
        assert last.wait(60) == 0
    assert len(buffer) == 0
    before = projected.everything()
    ids = [sale(terminal, number, sku)["meta"]["event_id"] for number in range(SALES)]
    assert len(set(ids)) == SALES
    assert projected.times_applied(ids) == SALES
    with Staff(stack.status()) as staff:
        (cell,) = staff.get(f"/v1/stock/{sku}")["locations"]
    assert cell["on_hand"] == -SALES
    log.info("%d records; %s", before, projected.counts())
    resent(stack, projected, [sale(terminal, number, sku) for number in range(100)])
    with Staff(stack.status(), durable=True) as staff:
        (cell,) = staff.get(f"/v1/stock/{sku}")["locations"]
    assert cell["on_hand"] == -SALES


def posted(stack: Stack, drawn: random.Random) -> Counter[int]:
    """A round of bodies at the gateway, by four callers at once; their statuses."""
    status = stack.status()
    told = {"Authorization": f"Bearer {status['tokens']['bulk']}"}
    url = status["services"]["gateway"]["url"]
    made = [(bodies._mutated(drawn), bodies._type(drawn)) for _ in range(A_ROUND)]
    with (
        httpx.Client(base_url=url, headers=told, timeout=30, trust_env=False) as http,
        ThreadPoolExecutor(4) as callers,
    ):

        def post(body: tuple[bytes, str]) -> int:
            answer = http.post("/v1/events", content=body[0], headers={"Content-Type": body[1]})
            answer.json()
            return answer.status_code

        return Counter(callers.map(post, made))


def appended(stack: Stack, mutants: list[Mutant]) -> dict[Place, Mutant]:
    """Appends records as any client may; where each is."""
    producer = Producer(
        {"bootstrap.servers": stack.endpoints().kafka, "linger.ms": 5, "acks": "all"}
    )
    places: dict[Place, Mutant] = {}

    def produce(one: Mutant) -> None:
        def note(error: Any, message: Any) -> None:
            assert error is None, error
            places[message.topic(), message.partition(), message.offset()] = one

        headers: Any = one.headers
        producer.produce(one.topic, one.value, key=one.key, headers=headers, on_delivery=note)

    for one in mutants:
        produce(one)
        producer.poll(0)
    assert producer.flush(30) == 0
    return places


def verdicts_of(sent: dict[Place, Mutant], projected: Projected) -> Counter[str]:
    """The verdict of each record; a dead letter keeps it whole, a duplicate was applied before."""
    applied, buried = projected.applied(), projected.buried()
    known = set(applied.values())
    found: Counter[str] = Counter()
    for place, one in sent.items():
        if place in buried:
            stage, key, value = buried[place]
            assert place not in applied
            assert (key, value) == (one.key, one.value), place
            found["conflict" if stage == "conflict" else "dead letter"] += 1
        elif place in applied:
            assert codec.decode(one.value).meta.event_id == applied[place]
            found["applied"] += 1
        else:
            try:
                assert codec.decode(one.value).meta.event_id in known, place
            except Undecodable as error:
                raise AssertionError(f"{place} is nowhere: {error.reason}") from None
            found["duplicate"] += 1
    return found


def processes(stack: Stack) -> dict[str, tuple[int, int]]:
    services = stack.status()["services"]
    return {name: (services[name]["restarts"], services[name]["pid"]) for name in SERVICES}


def resident(stack: Stack) -> dict[str, int]:
    services = stack.status()["services"]
    return {name: psutil.Process(services[name]["pid"]).memory_info().rss for name in SERVICES}


def logs(stack: Stack) -> str:
    services = stack.status()["services"]
    return "".join(Path(services[name]["log"]).read_text("utf-8") for name in SERVICES)


def readable(stack: Stack) -> int:
    """Everything that found its way in can be asked for; how many answers there were."""
    answers = 0
    with Staff(stack.status()) as staff:
        # some are longer than an address can be
        skus = {
            cell["sku"]
            for cell in staff.pages("/v1/stock")
            if len(_in_a_path(cell["sku"])) < LONGEST_PATH
        }
        members = [one["member_id"] for one in staff.pages("/v1/members")]
        inquiries = [one["inquiry_id"] for one in staff.pages("/v1/inquiries")]
        for path in ("/v1/terminals/gaps", *(f"/v1/members/{one}" for one in members[:300])):
            staff.get(path)
            answers += 1
        for one in inquiries[:100]:
            staff.get(f"/v1/inquiries/{one}")
        for sku in list(skus)[:300]:
            assert staff.status_of(f"/v1/stock/{_in_a_path(sku)}") < 500, repr(sku)
            answers += 1
        for by in ("topic", "sku", "store_id"):
            assert list(staff.pages("/v1/inquiries/counts", by=by))
    return answers


def _in_a_path(sku: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sku.encode()) or "%20"


def sealing_key(stack: Stack) -> str:
    gateway = stack.status()["services"]["gateway"]["url"]
    told = {"Authorization": f"Bearer {stack.status()['tokens']['till']}"}
    key = httpx.get(f"{gateway}/v1/sealing-key", headers=told, trust_env=False)
    return str(key.json()["public_key"])


def till(stack: Stack, own: tuple[str, str, str], url: str, *verb: str) -> subprocess.Popen[str]:
    path, terminal, sku = own
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TILL_KEY": sealing_key(stack)}
    environment["TILL_TOKEN"] = stack.status()["tokens"]["till"]
    argv = [sys.executable, "-m", "tests.e2e.till", path, url, terminal, sku, *verb]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)


def sold_until(stack: Stack, own: tuple[str, str, str], first: int, until: int) -> int:
    """Sells without a line and is killed about there; the receipt it goes on with."""
    with till(stack, own, NOWHERE, "sell", str(first)) as running:
        assert running.stdout is not None
        last = first
        for line in running.stdout:
            last = int(line)
            if last + 1 >= until:
                running.send_signal(signal.SIGKILL)
        running.wait(20)
    # what was given to a customer is kept, what the kill cut off is sold again under its number
    return last + 1 if last + 1 >= SALES else last


def killed_while_flushing(
    stack: Stack, own: tuple[str, str, str], buffer: Buffer, left: int
) -> None:
    with till(stack, own, stack.status()["services"]["gateway"]["url"], "flush") as running:
        eventually(lambda: len(buffer) <= left, f"{left} wait", pause=0.005)
        running.send_signal(signal.SIGKILL)
        running.wait(20)


def resent(stack: Stack, projected: Projected, sales: list[dict[str, Any]]) -> None:
    """The same receipts once more: duplicates, counted as such, and nothing else."""
    before = projected.counts()
    status = stack.status()
    answer = httpx.post(
        f"{status['services']['gateway']['url']}/v1/events",
        headers={"Authorization": f"Bearer {status['tokens']['till']}"},
        json=sales,
        timeout=30,
        trust_env=False,
    )
    assert answer.json()["accepted"] == len(sales), answer.text[:300]
    projected.everything()
    after = projected.counts()
    assert after - before == Counter(duplicate=len(sales))
