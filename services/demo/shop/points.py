"""Points that a sale earns and redeems, and that a return takes back.

The till and the web shop decide them (accrual `producer`); every line that earns makes a lot.
"""

from __future__ import annotations

from services.demo.shop import names
from services.demo.shop.names import Json
from services.demo.shop.rows import Rows

CENTS_A_POINT = 10_000

_EARNED = """
SELECT 'EC' AS channel, number, customer, date_sk, second, sum(net_paid // $1)::BIGINT
FROM web_order JOIN web_line USING (number) GROUP BY ALL
UNION ALL
SELECT 'STORE', number, customer, date_sk, second, sum(net_paid // $1)::BIGINT
FROM receipt JOIN store_line USING (number) GROUP BY ALL
ORDER BY date_sk, second, channel, number
"""


def earned(net_paid: int) -> int:
    return net_paid // CENTS_A_POINT


def redemptions(rows: Rows) -> dict[tuple[str, int], int]:
    """Redeemed points by (channel, sale number): half of what the previous sale earned."""
    previous: dict[int, int] = {}
    redeemed: dict[tuple[str, int], int] = {}
    for channel, number, customer, _, _, points in rows.stream(_EARNED, CENTS_A_POINT):
        if customer is None:
            continue
        if half := previous.get(customer, 0) // 2:
            redeemed[channel, number] = half
        previous[customer] = points
    return redeemed


def lot_id(system: str, number: int, line_no: int) -> str:
    return names.demo_id("lot", system, number, line_no)


def taken_back(
    meta: Json, system: str, customer: int, number: int, line_no: int, points: int
) -> Json:
    """The event that takes points of a line's lot back from the buyer."""
    profile = names.profile(system, customer)
    lot = lot_id(system, number, line_no)
    return {
        "type": "PointsReversed",
        "meta": meta,
        "profile_id": profile,
        "points": points,
        "transaction_id": names.transaction(system, number),
        "allocations": [{"profile_id": profile, "lot_id": lot, "points": points}],
        "policy": "go_negative",
    }
