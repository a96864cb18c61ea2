"""Is what is over written down once, at the program's midnight, and what is held left in peace?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest

from projections.core.instants import DAY
from schemas.generated.events.parts import EarnedLot
from services.points.background.expiry import sweep
from services.runtime.db import conninfo
from tests.services.points.program import ONE_IN_TEN, Program, program

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with program(tmp_path_factory.mktemp("expiry")) as own:
        yield own


async def swept(shop: Program, days_later: int) -> None:
    """Everything that is over so many days from now."""
    info = conninfo(shop.road.endpoints.postgres, group="main")
    async with await psycopg.AsyncConnection.connect(info, autocommit=True) as connection:
        more = True
        while more:
            async with connection.transaction():
                more = await sweep(connection, "main", shop.now() + days_later * DAY)


def expired(shop: Program, who: UUID) -> int:
    return -shop.kinds(who).get("expired", 0)


async def test_the_rest_of_a_lot_expires_once_and_what_is_held_the_day_after(
    shop: Program,
) -> None:
    yesterday = shop.now() - DAY
    who, held = (shop.earned(50, expires_at=yesterday) for _ in range(2))
    shop.earned(20, who, expires_at=shop.now() + 90 * DAY)
    shop.append(
        "PointsRedeemed", profile_id=who.bytes, points=15, at=yesterday - DAY, allocations=[],
        hold_id=None, transaction_id=None,
    )  # fmt: skip
    shop.until(lambda: shop.stored(who) == 55)
    (lot,) = shop.road.sql("select lot_id from point_entry where profile_id = %s", held)[0]
    shop.road.sql(
        "insert into points_hold (id, profile_id, lot_id, points, place, whose, channel, client,"
        " expires_at) values (%s, %s, %s, 30, 0, %s, 'EC', 'ec', now() + interval '1 hour')",
        uuid4(), held, lot, held,
    )  # fmt: skip
    assert shop.points(who)["balance"] == 20, "a balance needs nobody to write it down"
    shop.sets(ONE_IN_TEN)
    shop.until(lambda: expired(shop, who) == 35)
    shop.until(lambda: expired(shop, held) == 20)
    shop.again()
    await swept(shop, 0)
    shop.quiet(0)
    assert (expired(shop, who), expired(shop, held)) == (35, 20)
    shop.road.sql("update points_hold set state = 'released' where profile_id = %s", held)
    await swept(shop, 1)
    shop.until(lambda: expired(shop, held) == 50)
    shop.quiet(0)
    entries = shop.read(f"/v1/members/{who}/points/entries")
    (one,) = [entry for entry in entries if entry["kind"] == "expired"]
    midnight = datetime.fromisoformat(one["at"]).astimezone(UTC)
    assert (midnight.hour, midnight.minute) == (15, 0), "midnight in Tokyo"


async def test_who_does_nothing_for_too_long_has_nothing_left(shop: Program) -> None:
    quiet, busy = shop.earned(40), shop.earned(40)
    lot = EarnedLot(lot_id=uuid4().bytes, points=5)
    shop.append(
        "PointsEarned", profile_id=busy.bytes, lots=[lot], at=shop.now(), transaction_id=None
    )
    other = shop.earned(40)
    shop.append("ProfilesLinked", profile_id=other.bytes, other_profile_id=busy.bytes)
    grouped = "select 1 from member_group where profile_id = %s and cardinality(profiles) = 2"
    shop.until(lambda: shop.road.sql(grouped, other))
    shop.sets({**ONE_IN_TEN, "expiry": {"kind": "inactivity", "months": 3}}, 1, "inactivity")
    await swept(shop, 2)
    shop.until(lambda: expired(shop, quiet) == 40)
    shop.quiet(0)
    assert (expired(shop, busy), expired(shop, other)) == (0, 0)
    await swept(shop, 130)
    shop.until(lambda: (expired(shop, busy), expired(shop, other)) == (45, 40))
