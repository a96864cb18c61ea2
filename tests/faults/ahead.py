"""Does the first record of an id win while the batch that holds it is taken apart?

Single records trickle in while a transaction waits, one of them not to be stored. Then all ids
are sent again with another body, and everybody reads what was written at its place in the log.
"""

from __future__ import annotations

import json
import random
import re
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx

from tests.faults import reading, unstorable
from tests.faults.disorder import Append, Log
from tests.faults.gate import Gate
from tests.faults.reading import Read
from tests.faults.scene import Order, Report, Say, Scene, scene
from tests.faults.verdict import Line
from tests.faults.wire import Record, Wire

FULL = 240
BETWEEN_SECONDS, WAIT_SECONDS = 0.012, 30.0
FIRST, SECOND, PLACE = 10, 1_000, "ahead"
AT = 1_750_000_000_000_000
BATCHES = r'^hitotsu_projector_batch_events_count\{group="main"\} (\S+)$'
JUDGED = (
    "verdicts in offset order", "stock_cell", "ledger", "dead letters, whole",
    "counts by partition", "next offset = sum of counts",
)  # fmt: skip


def ahead(order: Order, say: Say) -> Report:
    """One projector and the API; half of the ids are sent again as they were."""
    report = Report("ahead", order.size, order.seed, faults=1)
    wire = Wire()
    with scene(Order(1, order.seed), say) as play:
        gate = Gate(play.stage.endpoints.postgres, play.crew)
        try:
            play.begin_workers(1)
            api = play.crew.add("api", "services.api")
            play.wait_ready(api.port)
            play.wait_claimed(1)
            worker = play.crew.members["projector-1"].port
            before = _transactions(worker)
            with gate.shut():
                first = _trickle(play, wire, order.size)
                places = _places(play, wire)
            began = time.monotonic()
            again = _again(play, wire, order.size)
            lines = _read(play, api.port, places)
            play.log = Log([*first, *again])
            judged = play.settle(60.0)
            seconds = play.settled_at - began
            lines += [line for line in play.lines(judged) if line.name in JUDGED]
            report.lines = lines
            report.notes = [
                f"{order.size} ids, through after {seconds:.1f} s,"
                f" {_transactions(worker) - before} transactions"
            ]
        finally:
            gate.close()
    return report


def _received(number: int, quantity: int) -> Record:
    producer = {"system": "pos", "channel": "STORE", "store_id": PLACE, "terminal_id": "1"}
    meta = {"event_id": UUID(int=number).bytes, "occurred_at": AT, "producer": producer}
    return {"meta": meta, "sku": f"item-{number}", "location_id": PLACE, "quantity": quantity}


def _append(wire: Wire, record: Record) -> Append:
    name = "StockReceived"
    return Append(wire.topics[name], wire.key(name, record), wire.encode(name, record), [])


def _trickle(play: Scene, wire: Wire, many: int) -> list[Append]:
    """One after the other, each a fetch of its own; the one in the middle cannot be stored."""
    sent = []
    for number in range(many):
        record = _received(number, FIRST)
        if number == many // 2:
            record = unstorable.spoilt(
                "StockReceived", record, unstorable.TOO_LONG, random.Random(number)
            )
        sent.append(_append(wire, record))
        play.sender.put(sent[-1])
        play.sender.poll()
        time.sleep(BETWEEN_SECONDS)
    play.sender.finish()
    return sent


def _again(play: Scene, wire: Wire, many: int) -> list[Append]:
    quantities = (SECOND, FIRST)
    sent = [_append(wire, _received(n, quantities[n % 2])) for n in range(many) if n != many // 2]
    for append in sent:
        play.sender.put(append)
        play.sender.poll()
        time.sleep(BETWEEN_SECONDS / 4)
    play.sender.finish()
    return sent


def _places(play: Scene, wire: Wire) -> dict[str, Read]:
    """Where the first record of each item is, but for the one that cannot be stored."""
    places = {}
    for read in reading.records(play.stage.endpoints.kafka):
        name, record = wire.decode(read.value)
        if not unstorable.refused(name, record):
            places[record["sku"]] = read
    return places


def _read(play: Scene, port: int, places: dict[str, Read]) -> list[Line]:
    """What is read at the place of each first record: its body, and nothing else."""
    headers = {"Authorization": f"Bearer {play.stage.tokens['operator']}"}
    url = f"http://127.0.0.1:{port}/v1/stock"

    def ask(sku: str) -> str:
        read = places[sku]
        position = json.dumps({f"{read.topic}-{read.partition}": read.offset + 1})
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            answer = client.get(f"{url}/{sku}", params={"min_position": position})
            if answer.status_code != 504 or time.monotonic() > deadline:
                break
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        return f"on hand {[cell['on_hand'] for cell in answer.json()['data']['locations']]}"

    with (
        httpx.Client(timeout=20, headers=headers, trust_env=False) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        answers = Counter(pool.map(ask, places))
    wrong = answers.total() - answers[f"on hand [{FIRST}]"]
    return [Line("read at its place", len(places), wrong, str(dict(answers)))]


def _transactions(port: int) -> int:
    """How many transactions the projector says that it committed."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        counted = re.findall(BATCHES, answer.read().decode(), re.MULTILINE)
    return sum(int(float(number)) for number in counted)
