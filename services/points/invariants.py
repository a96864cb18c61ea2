"""Invariants of points: conditions on stored rows that a background check tests."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from projections.core.instants import micros
from projections.point_balance import captured_id
from projections.point_balance.account import account, lots_and_draws
from services.invariants.invariant import Connection, Invariant, Key, Violation, by_sql
from services.runtime.rows import rows_of

PROFILE, HOLD = {"profile_id": "uuid"}, {"id": "uuid"}
ENTRIES = "select * from point_entry where profile_id = any(%s::uuid[])"
NOW = "select clock_timestamp() as now"


async def _do_not_add_up(connection: Connection, keys: Sequence[Key]) -> dict[Key, Violation]:
    """Profiles of which the points left in lots, less debt, are not the sum of all entries."""
    (moment,) = await rows_of(connection, NOW, [])
    rows: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await rows_of(connection, ENTRIES, [[key[0] for key in keys]]):
        rows[row["profile_id"]].append(row)
    found: dict[Key, Violation] = {}
    for profile_id, entries in rows.items():
        made = account(*lots_and_draws(entries), micros(moment["now"]))
        left = sum(lot.left for lot in made.lots) - made.debt
        added = sum(row["points"] for row in entries)
        if left != added:
            found[profile_id,] = Violation(added, left)
    return found


POINTS_ADD_UP = Invariant(
    "points_add_up",
    "The sum of a profile's entries equals the points left in its lots, less its debt.",
    about="points", table="point_entry", key=PROFILE, broken=_do_not_add_up,
)  # fmt: skip

# only lots whose earning is applied: before that, a lot from which points were taken is below 0
BELOW = """
select k.profile_id, to_json(0), to_json(l.left_over) from k cross join lateral (
    select min(points) as left_over from (
        select sum(points) as points from point_entry
        where profile_id = k.profile_id and lot_id is not null
        group by lot_id having bool_or(points > 0)
    ) x
) l where l.left_over < 0
"""
LOT_BELOW_ZERO = Invariant(
    "lot_below_zero",
    "No more points are taken from a lot than it earned.",
    about="points", table="point_entry", key=PROFILE, broken=by_sql(PROFILE, BELOW),
)  # fmt: skip

LINES = """
select id, profile_id, lot_id, points, state from hitotsu.points_hold where id = any(%s::uuid[])
"""
SPENT = """
select event_id, profile_id, lot_id, sum(points) as points from point_entry
where profile_id = any(%s::uuid[]) and kind = 'redeemed' group by 1, 2, 3
"""


async def _lines(connection: Connection, keys: Sequence[Key]) -> dict[UUID, list[dict[str, Any]]]:
    lines: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await rows_of(connection, LINES, [[key[0] for key in keys]]):
        lines[row["id"]].append(row)
    return lines


async def _spent(
    connection: Connection, lines: dict[UUID, list[dict[str, Any]]]
) -> dict[UUID, Counter[tuple[UUID, UUID]]]:
    """Points that the applied redemptions of these holds took: by event id, then by lot."""
    profiles = sorted({row["profile_id"] for rows in lines.values() for row in rows})
    facts = {captured_id(hold_id) for hold_id in lines}
    found: dict[UUID, Counter[tuple[UUID, UUID]]] = defaultdict(Counter)
    for row in await rows_of(connection, SPENT, [profiles]):
        if row["event_id"] in facts:
            found[row["event_id"]][row["profile_id"], row["lot_id"]] -= int(row["points"])
    return found


async def _not_as_captured(connection: Connection, keys: Sequence[Key]) -> dict[Key, Violation]:
    lines = await _lines(connection, keys)
    spent = await _spent(connection, lines)
    found: dict[Key, Violation] = {}
    for hold_id, rows in lines.items():
        took = spent.get(captured_id(hold_id))
        if took is None:
            continue
        held = {(r["profile_id"], r["lot_id"]): r["points"] for r in rows if r["points"]}
        if took != held:
            found[hold_id,] = Violation(_said(held), _said(took))
    return found


def _said(lots: dict[tuple[UUID, UUID], int]) -> dict[str, int]:
    return {f"{profile_id} {lot_id}": points for (profile_id, lot_id), points in lots.items()}


CAPTURED_AS_ALLOCATED = Invariant(
    "captured_as_allocated",
    "A captured hold and its redemption event take the same points from the same lots.",
    about="points", table="hitotsu.points_hold", key=HOLD, broken=_not_as_captured,
)  # fmt: skip
INVARIANTS = (POINTS_ADD_UP, LOT_BELOW_ZERO, CAPTURED_AS_ALLOCATED)
SETS = {"points": ("point_balance",)}
