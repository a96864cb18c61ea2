"""Is what can go wrong with points found, and nothing else?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from infra.backend import Endpoints
from projections.point_balance import HELD, captured_id
from schemas.generated.events import PointsEarned, PointsRedeemed, PointsReversed
from schemas.generated.events.parts import EarnedLot, LotAllocation, Meta
from services.invariants import full_check
from services.invariants.single_end import ends_once
from services.points import invariants
from services.points.invariants import INVARIANTS
from tests.projections.driving import Engine, Log
from tests.projections.saying import T0, meta, named

pytestmark = pytest.mark.servers
Connection = AsyncConnection[TupleRow]
ALL = (*INVARIANTS, ends_once(HELD, "points"))
WHO, LOT, HOLD = named("hanako"), named("lot"), UUID(int=77)
KEEP = """
insert into hitotsu.points_hold (id, profile_id, lot_id, points, place, whose, channel, client,
    state, expires_at) values (%s, %s, %s, %s, 0, %s, 'EC', 'ec', %s, now())
"""


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


@pytest.fixture
async def filled(engine: Engine) -> AsyncIterator[Engine]:
    """A lot; some of it captured; an offline till took more than there was; some came back."""
    engine.reset()
    engine.connection.execute("delete from hitotsu.points_hold")
    captured = Meta(event_id=captured_id(HOLD).bytes, occurred_at=T0, producer=meta().producer)
    taken = [LotAllocation(profile_id=WHO, lot_id=LOT, points=40)]
    log = Log()
    engine.tell(
        PointsEarned(
            meta=meta(),
            profile_id=WHO,
            lots=[EarnedLot(lot_id=LOT, points=100)],
            transaction_id=named("sale"),
        ),
        PointsRedeemed(
            meta=captured, profile_id=WHO, points=40, hold_id=HOLD.bytes, allocations=taken
        ),
        PointsRedeemed(
            meta=meta(minute=2), profile_id=WHO, points=90, transaction_id=named("other")
        ),
        PointsReversed(meta=meta(minute=3), profile_id=WHO, points=5, transaction_id=named("sale")),
        log=log,
    )
    engine.connection.execute(KEEP, [HOLD, *ids(WHO, LOT), 40, *ids(WHO), "applied"])
    yield engine


def ids(*values: bytes) -> list[UUID]:
    return [UUID(bytes=value) for value in values]


async def broken(engine: Engine) -> dict[str, int]:
    found: dict[str, int] = {}
    async for one, many, wrong in full_check.tested(engine.dsn, "main", ALL):
        assert many, f"{one.name} was tested on nothing"
        if wrong:
            found[one.name] = len(wrong)
    return found


async def test_what_was_decided_and_applied_holds(filled: Engine) -> None:
    assert await broken(filled) == {}


async def test_a_lot_that_gave_too_much_is_found(filled: Engine) -> None:
    filled.connection.execute("update point_entry set points = points - 61 where points = -40")
    assert await broken(filled) == {"lot_below_zero": 1, "captured_as_allocated": 1}


async def test_an_entry_that_names_another_lot_is_found(filled: Engine) -> None:
    filled.connection.execute("update point_entry set lot_id = %s where points = -40", [uuid4()])
    assert await broken(filled) == {"captured_as_allocated": 1}


async def test_a_hold_that_was_released_and_captured_is_found(filled: Engine) -> None:
    filled.connection.execute("update hitotsu.points_hold set state = 'released'")
    assert await broken(filled) == {"points_hold_resolved_twice": 1}


async def test_a_hold_that_says_applied_and_has_no_fact_is_found(filled: Engine) -> None:
    filled.connection.execute(KEEP, [uuid4(), *ids(WHO, LOT), 1, *ids(WHO), "applied"])
    assert await broken(filled) == {"points_hold_resolved_twice": 1}


async def test_arithmetic_that_loses_a_point_is_found(
    filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the arithmetic itself is changed."""
    right = invariants.account

    def wrong(*arguments: object) -> object:
        made = right(*arguments)  # type: ignore[arg-type]
        made.lots[0].left -= 1
        return made

    monkeypatch.setattr(invariants, "account", wrong)
    assert await broken(filled) == {"points_add_up": 1}
