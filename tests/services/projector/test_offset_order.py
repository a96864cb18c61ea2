"""The first record of an id wins, whatever happens to the batches around it.

The projector's pipeline, writer and Postgres are real. A model judges the same records in offset
order.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from infra.backend import Endpoints
from projections.core import Projection, Row, key, maximum, plain, total
from projections.core.fold import Group
from schemas.generated.events import InquiryOpened, PointsAdjusted, PurchaseCompleted
from services.projector import writer
from services.projector.batch import BatchWork
from tests.projections.driving import Engine, Place
from tests.services.projector.facts import adjusted, asked, sale
from tests.services.projector.offset_order import (
    APPLIED,
    CONFLICT,
    COPY,
    DEAD,
    DUPLICATE,
    Said,
    verdicts,
)
from tests.services.projector.processes import Anything, Drawn, Process, Trouble, run, wrong

PLACES: tuple[Place, ...] = (
    ("commerce.inquiries", 0), ("commerce.inquiries", 1), ("commerce.points", 0),
    ("commerce.purchases", 0), ("commerce.purchases", 1),
)  # fmt: skip
SALES = PLACES[3:]
UNSTORABLE, BY_HANDLER, BY_EVOLUTION = "not to be stored\0", "handler", "evolution"
Wordy = InquiryOpened | PointsAdjusted | PurchaseCompleted
REFUSED = (UNSTORABLE, BY_HANDLER, BY_EVOLUTION)
GOOD = ("a word", "another word", "a third word")


def refusing() -> Group:
    """Projections that refuse some words: as they are folded, and as they are stored."""
    words = Projection("words")
    said = words.table("said", id=key("uuid"), text=maximum("text"), times=total())
    entry = words.ledger("entry", text=plain("text"))
    state = words.evolution("state", id=key("uuid"), text=plain("text"))

    @words.on(InquiryOpened, PointsAdjusted, PurchaseCompleted)
    def hear(event: Wordy) -> Iterator[Row]:
        text = text_of(event)
        if text == BY_HANDLER:
            raise ValueError(text)
        yield said(id=event.meta.event_id, text=text, times=1)
        yield entry(text=text)

    @words.evolves(
        state, InquiryOpened, PointsAdjusted, PurchaseCompleted,
        key=lambda event: (event.meta.event_id,),
    )  # fmt: skip
    def change(before: dict[str, Any] | None, event: Wordy) -> dict[str, Any]:
        if text_of(event) == BY_EVOLUTION:
            raise ValueError(BY_EVOLUTION)
        return {"text": text_of(event)}

    return Group("main", [words])


def text_of(event: Wordy) -> str:
    if isinstance(event, PurchaseCompleted):
        return event.receipt_number or ""
    return event.topic if isinstance(event, InquiryOpened) else event.reason


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who lost a connection tries again at once."""
    monkeypatch.setattr(writer, "PAUSES", (0.001, 0.01), raising=False)


@pytest.fixture(scope="module")
def words(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers, refusing())
    yield own
    own.close()


def tell(log: Drawn, place: Place, number: int, text: str) -> None:
    """One more record; an id is told in one partition only."""
    number = 1_000_000 * PLACES.index(place) + number
    event = adjusted(number, 1, text) if place == PLACES[2] else asked(number, text)
    log.append(place, event, Said(number, text, text in REFUSED))


def sell(log: Drawn, place: Place, number: int, document: int, units: int, text: str) -> None:
    """A sale under an id and a transaction; both are told in one partition only."""
    far = 1_000_000 * PLACES.index(place)
    event = replace(
        sale(far + number, units=units, transaction=far + document), receipt_number=text
    )
    said = Said(number, f"{document} {units} {text}", text in REFUSED, (document, str(units)))
    log.append(place, event, said)


def drawn(chance: random.Random, records: int) -> Drawn:
    """Ids that come again and again: with the same word, another one, or one that is refused."""
    log, refusing_share = Drawn(), chance.choice((0.02, 0.1, 0.3))
    recent: dict[Place, list[int]] = {place: [] for place in PLACES}
    for number in range(records):
        place = chance.choice(PLACES)
        again = recent[place] and chance.random() < 0.5
        name = chance.choice(recent[place][-8:]) if again else number
        recent[place].append(name)
        refused = chance.random() < refusing_share
        text = chance.choice(REFUSED if refused else GOOD)
        if place in SALES:
            # most are told once or twice, some under ids of others
            document = name if chance.random() < 0.4 else chance.choice(recent[place][-6:]) // 3
            sell(log, place, name, document, chance.choice((1, 1, 1, 2)), text)
        else:
            tell(log, place, name, text)
    return log


def differences(engine: Engine, seed: int, met: Counter[str], records: int = 60) -> list[str]:
    """A drawn log, applied in trouble: what is not as the model says. Counts what was met."""
    chance = random.Random(seed)
    engine.reset()
    log = drawn(chance, records)
    trouble = Anything(log, chance, chance.choice((0.0, 0.02, 0.08)))
    processes = run(engine, log, trouble, chance, memory=chance.choice((4, 40_000)))
    met.update(trouble.met)
    for process in processes:
        met.update(process.transactions)
    return wrong(engine, log)


def all_met(met: Counter[str]) -> bool:
    """Whether connections were lost at every step, and claims came."""
    steps = ("fence", "known", "committed", "write", "advance")
    expected = ("claim", "lost before", "lost after", *(f"lost at {step}" for step in steps))
    return all(met[name] for name in expected)


def test_the_model_lets_the_first_record_that_can_be_applied_win() -> None:
    told = [Said(1, "a", True), Said(1, "b"), Said(1, "a", True), Said(1, "b"), Said(2, "a", True)]
    assert verdicts(told) == [DEAD, APPLIED, CONFLICT, DUPLICATE, DEAD]


def test_the_model_lets_the_first_telling_of_a_document_win() -> None:
    told = [
        Said(1, "a", True, (7, "two units")),
        Said(2, "a", document=(7, "two units")),
        Said(3, "b", document=(7, "two units")),
        Said(3, "b", document=(7, "two units")),
        Said(3, "c", document=(8, "two units")),
        Said(4, "a", document=(7, "one unit")),
        Said(4, "a", document=(9, "one unit")),
        Said(5, "a", True, (7, "two units")),
    ]
    assert verdicts(told) == [
        DEAD, APPLIED, COPY, DUPLICATE, CONFLICT, CONFLICT, APPLIED, COPY
    ]  # fmt: skip


@pytest.mark.servers
def test_every_verdict_is_that_of_the_offset_order(words: Engine) -> None:
    met = Counter[str]()
    by_seed = {seed: told for seed in range(24) if (told := differences(words, seed, met))}
    assert by_seed == {}
    assert all_met(met), met


class Trickle(Trouble):
    """While the first transaction waits, single records trickle in; more come at every other."""

    def __init__(self, places: tuple[Place, ...], waiting: int) -> None:
        self._places, self._waiting, self.sizes = places, waiting, list[int]()

    def before(self, process: Process, work: BatchWork) -> None:
        many = 3 if self.sizes else self._waiting
        self.sizes.append(work.size)
        for _ in range(many):
            for place in self._places:
                process.fetch(place, 1)
        process.wait_folded(5.0)


def trickled(engine: Engine, log: Drawn, waiting: int) -> list[int]:
    """Applies a log whose records come one by one; the sizes of all transactions begun."""
    trouble = Trickle(tuple(log.records), waiting)
    process = Process(engine, log, trouble, 40_000)
    try:
        process.claim(list(log.records))
        for place in log.records:
            process.fetch(place, 1)
        deadline = time.monotonic() + 20
        while any(process.pipeline.expected[place] < log.end(place) for place in log.records):
            assert time.monotonic() < deadline and not process.failure
            for place in log.records:
                process.fetch(place, 1)
            process.wait_folded()
        assert process.pipeline.drain(20) and not process.failure
    finally:
        process.stop()
    return trouble.sizes


@pytest.mark.servers
@pytest.mark.parametrize("text", REFUSED)
def test_ids_told_again_while_a_batch_is_taken_apart_do_not_overtake_it(
    words: Engine, text: str
) -> None:
    words.reset()
    log, place = Drawn(), PLACES[0]
    for number in range(240):
        tell(log, place, number, text if number == 120 else "first")
    for number in range(240):
        tell(log, place, number, "first" if number % 2 else "second")
    trickled(words, log, 239)
    assert wrong(words, log) == []


@pytest.mark.servers
@pytest.mark.parametrize("refused", [1, 3])
def test_a_record_that_cannot_be_stored_costs_two_transactions_a_halving(
    words: Engine, refused: int
) -> None:
    words.reset()
    log = Drawn()
    for number in range(340):
        for place in PLACES[:3]:
            bad = place == PLACES[1] and number in (111, 200, 201)[:refused]
            tell(log, place, number, UNSTORABLE if bad else "first")
    sizes = trickled(words, log, 339)
    most = max(sizes)
    assert most > 1_000
    more = len(sizes[sizes.index(most) :]) - 1
    assert more <= refused * (2 * math.ceil(math.log2(most)) + 2)
    assert wrong(words, log) == []


@pytest.mark.servers
@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_every_verdict_is_that_of_the_offset_order_at_length(words: Engine) -> None:
    met, seeds = Counter[str](), range(100, 900)
    by_seed = {seed: told for seed in seeds if (told := differences(words, seed, met, 120))}
    assert by_seed == {}
    assert all_met(met), met
