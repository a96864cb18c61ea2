"""Stock as it stood at any event time, held to a plain model; each movement with its own part."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from projections.shared_stock.history import BEFORE, FOREVER, MOVEMENTS, STANDING
from projections.shared_stock.on_hand_parts import Explained, explained
from schemas.generated.events import (
    AllocationReleased,
    Event,
    PurchaseReturned,
    StockAdjusted,
    StockAllocated,
    StockCounted,
    StockReceived,
    StockShipped,
    StockStateChanged,
    TransferReceived,
    TransferShipped,
)
from schemas.generated.events.parts import ReturnedLine
from tests.drawn import examples
from tests.projections.driving import Engine, Log
from tests.projections.saying import MINUTE, T0, meta, named, sold

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
SKU, HERE, THERE, MINUTES = "tea", "GINZA", "UMEDA", 8
Cell = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Move:
    """What happened to a cell at a minute; `read`: units counted there."""

    where: str
    minute: int
    on_hand: int = 0
    committed: int = 0
    unavailable: int = 0
    incoming: int = 0
    read: int | None = None


Said = tuple[Event, list[Move]]
_numbers = count()


def received(units: int, at: int) -> Said:
    return StockReceived(meta=meta(minute=at), sku=SKU, location_id=HERE, quantity=units), [
        Move(HERE, at, units)
    ]


def adjusted(units: int, at: int) -> Said:
    return StockAdjusted(
        meta=meta(minute=at), sku=SKU, location_id=HERE, quantity=-units, reason="lost"
    ), [Move(HERE, at, -units)]


def counted(units: int, at: int) -> Said:
    told = StockCounted(
        meta=meta(minute=99), sku=SKU, location_id=HERE, quantity=units, counted_at=T0 + at * MINUTE
    )
    return told, [Move(HERE, at, read=units)]


def _own() -> str:
    """The name of a sale, order or transfer of which nothing else is told."""
    return f"own {next(_numbers)}"


def sale(units: int, at: int) -> Said:
    return sold(SKU, units, minute=at, receipt=_own()), [Move(HERE, at, -units)]


def allocated(units: int, at: int) -> Said:
    told = StockAllocated(
        meta=meta(minute=at),
        sku=SKU,
        location_id=HERE,
        order_id=named(_own()),
        line_no=1,
        quantity=units,
    )
    return told, [Move(HERE, at, committed=units)]


def released(units: int, at: int) -> Said:
    told = AllocationReleased(
        meta=meta(minute=at),
        sku=SKU,
        location_id=HERE,
        order_id=named(_own()),
        line_no=1,
        quantity=units,
    )
    return told, []  # nothing was promised to that order


def shipped(units: int, at: int) -> Said:
    told = StockShipped(
        meta=meta(minute=at),
        sku=SKU,
        location_id=HERE,
        order_id=named(_own()),
        line_no=1,
        quantity=units,
    )
    return told, [Move(HERE, at, -units)]


def unjudged(units: int, at: int) -> Said:
    """Two lines of one item come back, one of them fit for sale."""
    lines = [
        ReturnedLine(line_no=1, sku=SKU, quantity=units, refund=100, disposition="QUALITY_CONTROL"),
        ReturnedLine(line_no=2, sku=SKU, quantity=1, refund=100, disposition="BACK_IN_STOCK"),
    ]
    told = PurchaseReturned(
        meta=meta(minute=at),
        transaction_id=named(_own()),
        location_id=HERE,
        currency="JPY",
        total=100,
        lines=lines,
        profile_id=named("hanako"),
    )
    # of an unknown sale: all of it waits for somebody to say whose it is
    return told, [Move(HERE, at, units + 1, unavailable=units + 1)]


def judged(units: int, at: int) -> Said:
    told = StockStateChanged(
        meta=meta(minute=at),
        sku=SKU,
        location_id=HERE,
        quantity=units,
        from_state="QUALITY_CONTROL",
        to_state="SELLABLE",
    )
    return told, [Move(HERE, at, unavailable=-units)]


def sent(units: int, at: int) -> Said:
    told = TransferShipped(
        meta=meta(minute=at),
        transfer_id=named(_own()),
        sku=SKU,
        from_location_id=HERE,
        to_location_id=THERE,
        quantity=units,
    )
    return told, [Move(HERE, at, -units), Move(THERE, at, incoming=units)]


def arrived(units: int, at: int) -> Said:
    told = TransferReceived(
        meta=meta(minute=at),
        transfer_id=named(_own()),
        sku=SKU,
        from_location_id=HERE,
        to_location_id=THERE,
        quantity=units,
        discrepancy=1,
    )
    return told, [Move(THERE, at, units)]  # nothing was told of the shipment


KINDS: list[Callable[[int, int], Said]] = [
    received, adjusted, counted, sale, allocated, released, shipped,
    unjudged, judged, sent, arrived,
]  # fmt: skip
SAID = st.builds(
    lambda kind, units, at: kind(units, at),
    st.sampled_from([*KINDS, counted, sale]), st.integers(1, 9), st.integers(0, MINUTES),
)  # fmt: skip


def stood(moves: list[Move], where: str, minute: int) -> Cell | None:
    """The plain model: on hand, committed, unavailable, incoming; None: nothing was there yet."""
    past = [one for one in moves if one.where == where and one.minute <= minute]
    if not past:
        return None
    reads = [(one.minute, one.read) for one in past if one.read is not None]
    since, base = max(reads) if reads else (-1, 0)
    on_hand = base + sum(one.on_hand for one in past if one.minute >= since)
    sums = (
        [getattr(one, name) for one in past] for name in ("committed", "unavailable", "incoming")
    )
    return (on_hand, *map(sum, sums))  # type: ignore[return-value]


@settings(
    max_examples=examples(60), deadline=None, print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(said=st.lists(SAID, min_size=1, max_size=25), seed=st.integers(0, 1 << 32))
def test_at_every_minute_it_stood_as_a_plain_model_says_in_whatever_order_facts_came(
    engine: Engine, said: list[Said], seed: int
) -> None:
    moves = _applied(engine, said, seed)
    for minute in range(MINUTES + 1):
        found = {row["location_id"]: row for row in _asked(engine, STANDING, minute)}
        for where in (HERE, THERE):
            expected = stood(moves, where, minute)
            row = found.get(where)
            names = ("on_hand", "committed", "unavailable", "incoming")
            assert (None if row is None else tuple(row[name] for name in names)) == expected
    kept = engine.connection.execute(
        "select location_id, on_hand, committed, unavailable, incoming from stock_cell"
    ).fetchall()
    assert {row[0]: row[1:] for row in kept} == {
        where: cell for where in (HERE, THERE) if (cell := stood(moves, where, 99)) is not None
    }


@settings(
    max_examples=examples(40), deadline=None, print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(
    said=st.lists(SAID, min_size=1, max_size=25),
    seed=st.integers(0, 1 << 32),
    size=st.integers(1, 30),
)
def test_movements_add_up_to_what_is_there_page_by_page(
    engine: Engine, said: list[Said], seed: int, size: int
) -> None:
    moves = _applied(engine, said, seed)
    last = stood(moves, HERE, 99)
    if last is None:
        return
    told = _explained(engine, size)
    assert (
        told.on_hand == last[0] == (told.base.counted if told.base else 0) + (told.moved_since_base)
    )
    ours = [one for one in moves if one.where == HERE]
    assert len({one.event_id for one in told.movements}) == len(told.movements) == len(ours)
    assert sum(one.on_hand_delta for one in told.movements) == told.on_hand
    on_top = sum(one.on_hand_delta for one in told.movements if one.on_top)
    assert on_top == told.moved_since_base
    before = 0
    for one in reversed(told.movements):
        assert one.on_hand == before + one.on_hand_delta
        before = one.on_hand
        assert one.event is not None
        assert one.place is not None
    for minute in range(MINUTES + 1):
        until = T0 + minute * MINUTE
        then = next((one for one in told.movements if _micros(one.at) <= until), None)
        expected = stood(moves, HERE, minute)
        assert (then and then.on_hand) == (expected and expected[0])


def test_a_page_s_running_figures_start_from_what_lies_before_it(engine: Engine) -> None:
    engine.reset()
    events = [received(50, 1), counted(40, 3), sale(2, 3), counted(41, 3), sale(5, 6)]
    engine.tell(*(event for event, _ in events))
    first = _explained(engine, 2, pages=1)
    assert [(one.event, one.on_hand_delta, one.on_hand) for one in first.movements] == [
        ("PurchaseCompleted", -5, 34), ("PurchaseCompleted", -2, 39),
    ]  # fmt: skip
    assert first.base is not None
    assert (first.base.counted, first.moved_since_base, first.on_hand) == (41, -7, 34)
    whole = _explained(engine, 2)
    assert [one.on_hand for one in whole.movements] == [34, 39, 41, 40, 50]
    assert [one.counted for one in whole.movements] == [None, None, 41, 40, None]
    assert [one.on_top for one in whole.movements] == [True, True, False, False, False]


def test_a_plain_sale_or_receipt_writes_nothing_beside_its_change(engine: Engine) -> None:
    engine.reset()
    engine.tell(received(5, 1)[0], sale(1, 2)[0])
    for table in ("stock_count", "stock_promise"):
        assert engine.connection.execute(f"select 1 from {table}".encode()).fetchall() == []


def _applied(engine: Engine, said: list[Said], seed: int) -> list[Move]:
    """Facts in any order and in any batches; what happened."""
    chance, log = random.Random(seed), Log()
    engine.reset()
    for event, _ in chance.sample(said, len(said)):
        log.append(event)
        if chance.random() < 0.3:
            engine.apply(log.batch())
    engine.apply(log.batch())
    return [move for _, moves in said for move in moves]


def _asked(engine: Engine, statement: str, minute: int | None, **values: Any) -> list[Any]:
    at = FOREVER if minute is None else T0 + minute * MINUTE
    asked = {"sku": SKU, "location_id": None, "at": at, **values}
    with engine.connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), asked).fetchall()


def _explained(engine: Engine, size: int, pages: int = 99) -> Explained:
    """All pages as one."""
    (standing,) = _asked(engine, STANDING, None, location_id=HERE)
    last: dict[str, Any] = {"at": FOREVER, "step": None, "counted": None, "event_id": None}
    told: Explained | None = None
    for _ in range(pages):
        rows = _asked(engine, MOVEMENTS, None, location_id=HERE, limit=size, **last)
        if not rows:
            break
        last = {name: rows[-1][name] for name in last}
        (found,) = _asked(engine, BEFORE, None, location_id=HERE, **last)
        page = explained(SKU, standing, rows, found["on_hand"])
        if told is None:
            told = page
        else:
            told.movements += page.movements
    assert told is not None
    return told


def _micros(at: Any) -> int:
    return round(at.timestamp() * 1_000_000)


def test_ids_in_the_log_are_those_of_the_events(engine: Engine) -> None:
    engine.reset()
    event, _ = counted(3, 2)
    engine.tell(event)
    (one,) = _explained(engine, 9).movements
    assert one.event_id == UUID(bytes=event.meta.event_id)
    assert (one.event, one.place) == ("StockCounted", _place(engine, one.event_id))


def _place(engine: Engine, event_id: UUID) -> str:
    rows = engine.connection.execute(
        'select name, partition, "offset" from ledger join topic on no = topic where event_id = %s',
        [event_id],
    ).fetchall()
    ((topic, partition, offset),) = rows
    return f"{topic}-{partition}@{offset}"
