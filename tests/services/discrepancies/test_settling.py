"""Is a discrepancy settled once, by whom it concerns, and does the other side move?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from hashlib import md5
from typing import Any
from uuid import UUID, uuid4

import pytest

from infra.backend import Endpoints
from projections.purchases import settlements
from projections.purchases.settlements import discrepancy_id
from projections.shared_stock import cell
from schemas import measures
from schemas.generated.events import (
    DiscrepancySettled,
    PurchaseAttributed,
    PurchaseReturned,
    StockReceived,
    StockShipped,
)
from schemas.generated.events.parts import ReturnedLine
from schemas.wire import codec
from services.deciding.answers import Answer, Keyed
from services.deciding.decider import Decider
from services.discrepancies.decide import Settle, SettleBody
from services.discrepancies.work import SettleWork
from services.state.migrate import migrate
from tests.projections.driving import Engine, Log
from tests.projections.saying import meta, named, sold

pytestmark = pytest.mark.servers
RIGHT, WRONG = settlements.DOCUMENT_RIGHT, settlements.DOCUMENT_WRONG


class Desk:
    """A stack's Postgres, and two processes that decide about what does not fit."""

    def __init__(self, engine: Engine, deciders: list[Decider]) -> None:
        self.engine, self._deciders, self._asked = engine, deciders, 0
        self._log, self._sent = Log(), 0

    def tell(self, *events: Any) -> None:
        self.engine.tell(*events, log=self._log)

    async def settles(
        self, discrepancy: UUID, resolution: str = WRONG, *, key: str | None = "",
        concerns: Callable[[str | None], bool] = lambda place: True,
    ) -> tuple[int, Any]:  # fmt: skip
        """Status, and the kind of problem or the whole answer. `key` None: a dry run."""
        body = SettleBody(
            resolution=resolution, actor="E0007", reason_code="counted", dry_run=key is None
        )
        command = Settle(discrepancy, uuid4(), body, concerns)
        name = uuid4().hex if key == "" else key
        self._asked += 1
        decider = self._deciders[self._asked % len(self._deciders)]
        answer = await decider.ask(Keyed("desk", name, discrepancy.bytes, command))
        return _said(answer)

    def apply_sent(self) -> list[Any]:
        """Applies what the outbox has; the events."""
        rows = self.engine.connection.execute(
            "select id, record_value from hitotsu.outbox where id > %s order by id", [self._sent]
        ).fetchall()
        events = [codec.decode(bytes(value)) for _, value in rows]
        self._sent = max([self._sent, *(number for number, _ in rows)])
        self.tell(*events)
        return events

    def shelf(self, sku: str, place: str = "GINZA") -> tuple[int, int]:
        """On hand, unavailable."""
        row = self.engine.rows(cell)[sku, place]
        return row["on_hand"], row["unavailable"]


def _said(answer: Answer) -> tuple[int, Any]:
    body = json.loads(answer.body)
    return answer.status, body.get("type", body)


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    migrate(own.connection)
    yield own
    own.close()


@pytest.fixture
async def desk(engine: Engine) -> AsyncIterator[Desk]:
    engine.reset()
    engine.connection.execute("truncate hitotsu.settlement_decided, hitotsu.outbox")
    deciders = [
        Decider(engine.dsn, "settlements", SettleWork("main"), lambda: None, "main")
        for _ in range(2)
    ]
    for decider in deciders:
        await decider.start()
    try:
        yield Desk(engine, deciders)
    finally:
        for decider in deciders:
            await decider.stop()


def returned(sku: str, units: int, receipt: str = "r") -> PurchaseReturned:
    line = ReturnedLine(
        line_no=1, sku=sku, quantity=units, refund=100, disposition="BACK_IN_STOCK"
    )  # fmt: skip
    return PurchaseReturned(
        meta=meta(minute=5), transaction_id=named(receipt), location_id="GINZA", currency="JPY",
        total=100, lines=[line],
    )  # fmt: skip


def id_of(kind: str, event: Any, sku: str) -> UUID:
    return UUID(discrepancy_id(kind, event.meta.event_id.hex(), sku, "GINZA"))


def surplus(units: int = 5) -> tuple[list[Any], UUID]:
    """Ten cups; one sold; so many come back."""
    back = returned("cup", units)
    received = StockReceived(meta=meta(), sku="cup", location_id="GINZA", quantity=10)
    return [received, sold("cup"), back], id_of("over_return", back, "cup")


@pytest.mark.parametrize(("resolution", "shelf"), [(RIGHT, (14, 0)), (WRONG, (10, 0))])
async def test_settling_moves_the_side_that_is_wrong(
    desk: Desk, resolution: str, shelf: tuple[int, int]
) -> None:
    events, odd = surplus()
    desk.tell(*events)
    assert desk.shelf("cup") == (14, 4)
    status, answer = await desk.settles(odd, resolution)
    assert (status, answer["kind"], answer["resolution"]) == (201, "over_return", resolution)
    (fact,) = desk.apply_sent()
    assert (fact.subject_id, fact.location_id, fact.actor) == (named("r"), "GINZA", "E0007")
    assert fact.refers == [events[2].meta.event_id]
    assert desk.shelf("cup") == shelf


def weighed(told: Any) -> Any:
    """The same amounts, told in thousandths of a kilogram."""
    if hasattr(told, "lines"):
        return replace(told, lines=[weighed(line) for line in told.lines])
    return replace(told, unit="kg", scale=3)


async def test_a_store_settles_what_does_not_fit_there_by_weight(desk: Desk) -> None:
    """The decision names the location without the unit; the pieces of the item stay as they are."""
    events, odd = surplus()
    again = [replace(event, meta=meta(minute=number)) for number, event in enumerate(events)]
    desk.tell(*events, *(weighed(event) for event in again[:1]), weighed(again[2]))
    measured = measures.place("GINZA", "kg")
    assert desk.shelf("cup", measured) == (15, 5)
    name = discrepancy_id("unknown_line", again[2].meta.event_id.hex(), "cup", measured)
    status, _ = await desk.settles(UUID(name), RIGHT, concerns=lambda at: at == "GINZA")
    assert status == 201
    (fact,) = desk.apply_sent()
    assert fact.location_id == "GINZA"
    assert (desk.shelf("cup", measured), desk.shelf("cup")) == ((15, 0), (14, 4))
    assert (await desk.settles(UUID(name)))[0] == 409
    assert (await desk.settles(odd))[0] == 201


async def test_a_discrepancy_is_settled_once(desk: Desk) -> None:
    events, odd = surplus()
    desk.tell(*events)
    dry, _ = await desk.settles(odd, key=None)
    first = await desk.settles(odd, key="a key")
    assert (dry, first[0]) == (200, 201)
    assert await desk.settles(odd, key="a key") == first
    for applied in (False, True):
        status, kind = await desk.settles(odd, RIGHT)
        assert (status, kind) == (409, "/problems/discrepancy-settled"), applied
        assert len(desk.apply_sent()) == (not applied)
    # its row is trimmed some day; the projection knows the decision
    desk.engine.connection.execute("truncate hitotsu.settlement_decided")
    assert (await desk.settles(odd))[0] == 409


async def test_of_many_decisions_at_once_at_two_processes_exactly_the_first_is_accepted(
    desk: Desk,
) -> None:
    events, odd = surplus()
    desk.tell(*events)
    for _ in range(5):
        desk.engine.connection.execute("truncate hitotsu.settlement_decided")
        asked = (desk.settles(odd, (RIGHT, WRONG)[number % 2]) for number in range(8))
        assert sorted(status for status, _ in await asyncio.gather(*asked)) == [201, *[409] * 7]


async def test_what_cannot_be_settled_says_why(desk: Desk) -> None:
    claims = [
        PurchaseAttributed(meta=meta(), transaction_id=named("guest"), profile_id=named(who))
        for who in ("hanako", "taro")
    ]
    gone = StockShipped(
        meta=meta(), sku="tea", location_id="UMEDA", order_id=named("o"), line_no=1, quantity=1
    )
    events, odd = surplus()
    desk.tell(*events, sold("cup", receipt="guest", who=None), *claims, gone)
    assert await desk.settles(uuid4()) == (409, "/problems/discrepancy-unknown")
    lasts = UUID(_md5("negative_stock|tea|UMEDA"))
    assert await desk.settles(lasts) == (409, "/problems/discrepancy-lasts")
    second = UUID(_md5(f"second_claim|{UUID(bytes=claims[1].meta.event_id)}"))
    assert await desk.settles(second, RIGHT) == (409, "/problems/discrepancy-lasts")
    another = (403, "/problems/discrepancy-of-another-store")
    assert await desk.settles(odd, concerns=lambda place: place == "UMEDA") == another
    assert await desk.settles(second, concerns=lambda place: place == "GINZA") == another
    assert (await desk.settles(second, WRONG))[0] == 201
    # the sale that a return had lacked is told: nothing is left to settle
    late = returned("fork", 1, "late")
    desk.tell(late)
    unknown = id_of("unknown_sale", late, "fork")
    assert (await desk.settles(unknown, key=None))[0] == 200
    desk.tell(sold("fork", receipt="late"))
    assert await desk.settles(unknown) == (409, "/problems/discrepancy-unknown")


def _md5(text: str) -> str:
    return md5(text.encode()).hexdigest()


async def test_a_wrong_clock_is_open_again_when_an_event_arrives_by_it_after_the_decision(
    desk: Desk,
) -> None:
    terminal = UUID(_md5("clock|pos|GINZA|1"))
    desk.engine.connection.execute(
        "insert into terminal_clock (system, store_id, terminal_id, clock_offset, first_seen,"
        " last_seen, events, row_version) values ('pos', 'GINZA', '1', -9, 1, 2, 1, 1)"
    )
    assert await desk.settles(terminal, RIGHT) == (409, "/problems/discrepancy-lasts")
    assert (await desk.settles(terminal))[0] == 201
    for _ in range(2):  # the decision is on its way, and applied
        assert await desk.settles(terminal) == (409, "/problems/discrepancy-settled")
        desk.apply_sent()
    desk.engine.connection.execute(
        "update terminal_clock set last_seen = extract(epoch from now()) * 1000000 + 60000000"
    )
    assert (await desk.settles(terminal, key=None))[0] == 200


async def test_a_fact_of_a_sender_of_another_store_settles_nothing(desk: Desk) -> None:
    events, odd = surplus()
    desk.tell(*events)
    for place, shelf in (("UMEDA", (14, 4)), ("GINZA", (14, 0))):
        # the gateway lets a sender that is limited to a store name that store alone
        fact = DiscrepancySettled(
            meta=meta(), discrepancy_id=odd.bytes, kind="over_return", resolution=RIGHT,
            subject_id=named("r"), location_id=place, actor="E0007",
        )  # fmt: skip
        desk.tell(fact)
        assert desk.shelf("cup") == shelf
    assert (await desk.settles(odd))[1] == "/problems/discrepancy-settled"
