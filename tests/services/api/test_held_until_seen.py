"""Is what was held ever shown as free, between the fact's commit and the row that is read?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from schemas.generated.events import (
    PointsEarned,
    PointsRedeemed,
    ReservationCommitted,
    StockReceived,
)
from schemas.generated.events.parts import EarnedLot, LotAllocation, Meta, Producer
from tests.services.api.applying import Applying, applying
from tests.services.api.conftest import Running

pytestmark = pytest.mark.servers
AT = 1_700_000_000_000_000
HOLD_STOCK = """
insert into hitotsu.stock_hold (id, sku, location_id, served_by, quantity, channel, client, state,
    expires_at) values (%s, %s, %s, %s, %s, 'EC', 'ec', 'committed', now() + interval '1 hour')
"""
HOLD_POINTS = """
insert into hitotsu.points_hold (id, profile_id, lot_id, points, place, whose, channel, client,
    state, expires_at)
values (%s, %s, %s, %s, 0, %s, 'EC', 'ec', 'captured', now() + interval '1 hour')
"""


@pytest.fixture
def road(api: Running) -> Iterator[Applying]:
    with applying(api) as own:
        yield own


def meta(number: int = 0) -> Meta:
    return Meta(
        event_id=uuid4().bytes,
        occurred_at=AT + number,
        producer=Producer(
            system="ec",
            channel="EC",
            store_id=None,
            terminal_id=None,
            terminal_epoch=0,
            terminal_sequence=None,
        ),
    )


def received(sku: str, location_id: str, quantity: int) -> StockReceived:
    return StockReceived(meta=meta(), sku=sku, location_id=location_id, quantity=quantity)


def committed(sku: str, location_id: str, hold: UUID, quantity: int) -> ReservationCommitted:
    return ReservationCommitted(
        meta=meta(), sku=sku, location_id=location_id, reservation_id=hold.bytes,
        order_id=uuid4().bytes, quantity=quantity,
    )  # fmt: skip


def redeemed(profile: UUID, hold: UUID, taken: list[LotAllocation]) -> PointsRedeemed:
    return PointsRedeemed(
        meta=meta(5), profile_id=profile.bytes, points=sum(one.points for one in taken),
        transaction_id=uuid4().bytes, hold_id=hold.bytes, allocations=taken,
    )  # fmt: skip


def told(found: tuple[Any, ...], redis: Any, postgres: Any) -> None:
    """What may be said depends on where it was read: Postgres has the fact, Redis not yet.

    On a slow machine Redis may count as too old before the question comes.
    """
    *figures, source = found
    assert tuple(figures) == {"redis": redis, "postgres": postgres}[source]


def stock(api: Running, sku: str, **more: Any) -> tuple[dict[str, tuple[int, int, int]], int, str]:
    """Committed, reserved and available by location; what EC may sell; where it was read."""
    found = api.answer(f"/v1/stock/{sku}", **more)
    cells = {
        cell["location_id"]: (cell["committed"], cell["reserved"], cell["available"])
        for cell in found["data"]["locations"]
    }
    assert found["data"]["reserved_known"]
    return cells, found["data"]["online_atp"], found["served_from"]


@pytest.mark.parametrize("asked_at", ["W1", ""])
def test_units_are_held_until_the_row_that_is_read_holds_the_promise(
    api: Running, road: Applying, asked_at: str
) -> None:
    sku, hold, other = f"held-{uuid4().hex[:8]}", uuid4(), uuid4()
    road.show(*road.apply(received(sku, "W1", 10), received(sku, "W2", 5)))
    api.until(f"/v1/stock/{sku}", "redis")
    api.shop.execute(HOLD_STOCK, hold, sku, asked_at, "W1", 3)
    api.shop.execute(HOLD_STOCK, other, sku, "W2", "W2", 1)
    before = {"W1": (0, 3, 7), "W2": (0, 1, 4)}, 11
    assert stock(api, sku) == (*before, "redis")
    batch = road.apply(committed(sku, "W1", hold, 3))
    after = {"W1": (3, 0, 7), "W2": (0, 1, 4)}, 11
    told(stock(api, sku), redis=before, postgres=after)
    later = road.apply(received(sku, "W1", 1), committed(sku, "W2", other, 1))
    at_last = {"W1": (3, 0, 8), "W2": (1, 0, 4)}, 12
    told(stock(api, sku), redis=before, postgres=at_last)
    road.show(*batch)
    told(stock(api, sku), redis=after, postgres=at_last)
    road.show(*later)
    told(stock(api, sku), redis=at_last, postgres=at_last)
    durable = stock(api, sku, headers={"Cache-Control": "no-cache"})
    assert durable == ({"W1": (3, 0, 8), "W2": (1, 0, 4)}, 12, "postgres")


def test_a_row_that_is_shown_before_the_position_is_not_counted_twice(
    api: Running, road: Applying
) -> None:
    """Redis gets the rows first, and the position after them."""
    sku, hold = f"held-{uuid4().hex[:8]}", uuid4()
    road.show(*road.apply(received(sku, "W1", 10)))
    api.shop.execute(HOLD_STOCK, hold, sku, "W1", "W1", 3)
    (batch,) = road.apply(committed(sku, "W1", hold, 3))
    positions, batch.positions = batch.positions, {}
    promised = {"W1": (3, 0, 7)}, 7
    road.show(batch)
    told(stock(api, sku), redis=promised, postgres=promised)
    batch.positions = positions
    road.show(batch)
    told(stock(api, sku), redis=promised, postgres=promised)


def points(api: Running, profile: UUID, **more: Any) -> tuple[int, int, int, str]:
    """Balance, available, held; where it was read."""
    found = api.answer(f"/v1/members/{profile}/points", **more)
    data = found["data"]
    assert data["held_known"]
    return data["balance"], data["available"], data["held"], found["served_from"]


def test_points_are_held_until_the_entries_that_are_read_hold_their_redemption(
    api: Running, road: Applying
) -> None:
    profile, hold, other = uuid4(), uuid4(), uuid4()
    lots = [uuid4(), uuid4()]
    road.show(*road.apply(_earned(profile, lots)))
    api.until(f"/v1/members/{profile}/points", "redis")
    for lot, held in zip(lots, (100, 20), strict=True):
        api.shop.execute(HOLD_POINTS, hold, profile, lot, held, profile)
    api.shop.execute(HOLD_POINTS, other, profile, lots[1], 7, profile)
    assert points(api, profile) == (200, 73, 127, "redis")
    taken = [LotAllocation(profile_id=profile.bytes, lot_id=lots[0].bytes, points=100),
             LotAllocation(profile_id=profile.bytes, lot_id=lots[1].bytes, points=20)]  # fmt: skip
    batch = road.apply(redeemed(profile, hold, taken))
    told(points(api, profile), redis=(200, 73, 127), postgres=(80, 73, 7))
    later = road.apply(
        redeemed(
            profile,
            other,
            [LotAllocation(profile_id=profile.bytes, lot_id=lots[1].bytes, points=7)],
        )
    )
    told(points(api, profile), redis=(200, 73, 127), postgres=(73, 73, 0))
    road.show(*batch)
    told(points(api, profile), redis=(80, 73, 7), postgres=(73, 73, 0))
    road.show(*later)
    told(points(api, profile), redis=(73, 73, 0), postgres=(73, 73, 0))
    durable = points(api, profile, headers={"Cache-Control": "no-cache"})
    assert durable == (73, 73, 0, "postgres")


def test_a_member_page_counts_what_is_held_likewise(api: Running, road: Applying) -> None:
    profile, hold, lot = uuid4(), uuid4(), uuid4()
    road.show(*road.apply(_earned(profile, [lot])))
    api.shop.execute(HOLD_POINTS, hold, profile, lot, 60, profile)
    road.apply(
        redeemed(
            profile, hold, [LotAllocation(profile_id=profile.bytes, lot_id=lot.bytes, points=60)]
        )
    )
    found = api.answer(f"/v1/members/{profile}")
    figures = [found["data"]["balance"][name] for name in ("balance", "available", "held")]
    # other parts of the page come from Postgres in any case
    assert figures in ([100, 40, 60], [40, 40, 0])


def _earned(profile: UUID, lots: list[UUID]) -> PointsEarned:
    return PointsEarned(
        meta=meta(),
        profile_id=profile.bytes,
        lots=[EarnedLot(lot_id=lot.bytes, points=100) for lot in lots],
    )


@contextmanager
def locked(api: Running, table: str) -> Iterator[None]:
    """A read from Postgres waits before this table."""
    with psycopg.connect(api.endpoints.postgres) as connection:
        connection.execute(f"lock table {table} in access exclusive mode".encode())
        yield


def waiting(api: Running, table: str) -> None:
    """Until somebody waits for the table."""
    deadline = time.monotonic() + 30
    with psycopg.connect(api.endpoints.postgres, autocommit=True) as connection:
        while not connection.execute(
            "select from pg_locks where relation = to_regclass(%s) and not granted", [table]
        ).fetchall():
            assert time.monotonic() < deadline, "nobody reads it"
            time.sleep(0.01)


def test_a_read_from_postgres_sees_the_hold_that_ends_behind_its_snapshot(
    api: Running, road: Applying
) -> None:
    sku, hold = f"held-{uuid4().hex[:8]}", uuid4()
    road.show(*road.apply(received(sku, "W1", 10)))
    api.shop.execute(HOLD_STOCK, hold, sku, "W1", "W1", 3)
    found: list[Any] = []

    def ask() -> None:
        found.append(stock(api, sku, headers={"Cache-Control": "no-cache"}))

    reader = threading.Thread(target=ask)
    with locked(api, "main.stock_policy"):
        reader.start()
        waiting(api, "main.stock_policy")
        # the row was read; now the promise is applied, and its hold ends
        road.show(*road.apply(committed(sku, "W1", hold, 3)))
    reader.join(10)
    assert found == [({"W1": (0, 3, 7)}, 7, "postgres")]


def test_a_read_from_postgres_counts_no_redemption_twice(api: Running, road: Applying) -> None:
    profile, hold, lot = uuid4(), uuid4(), uuid4()
    road.show(*road.apply(_earned(profile, [lot])))
    api.shop.execute(HOLD_POINTS, hold, profile, lot, 60, profile)
    found: list[Any] = []

    def ask() -> None:
        found.append(points(api, profile, headers={"Cache-Control": "no-cache"}))

    reader = threading.Thread(target=ask)
    with locked(api, "main.member_group"):
        reader.start()
        waiting(api, "main.member_group")
        # the snapshot was taken; now the redemption is applied, and its hold ends
        road.show(
            *road.apply(
                redeemed(
                    profile,
                    hold,
                    [LotAllocation(profile_id=profile.bytes, lot_id=lot.bytes, points=60)],
                )
            )
        )
    reader.join(10)
    assert found == [(100, 40, 60, "postgres")]
