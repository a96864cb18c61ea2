"""The invariants of stock, tested from stored rows alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from projections.shared_stock.history import COUNTED_AND_MOVED, FOREVER
from projections.shared_stock.shortages import SHORT
from schemas.generated.events import ReservationCommitted
from schemas.history.releases import releases
from services.invariants.invariant import Connection, Invariant, Key, Violation, by_sql
from services.runtime.rows import rows_of
from services.stock.decide import COMMITTED, fact_id

CELL = {"sku": "text", "location_id": "text"}
RECOMPUTED = f"""
select k.sku, k.location_id, to_json(made), to_json(kept)
from k join stock_cell c using (sku, location_id)
{COUNTED_AND_MOVED.format(until=FOREVER)}
cross join lateral (
    select coalesce(sum(committed), 0)::bigint as committed,
        coalesce(sum(unavailable), 0)::bigint as unavailable,
        coalesce(sum(incoming), 0)::bigint as incoming
    from stock_promise where sku = c.sku and location_id = c.location_id
) p
cross join lateral (
    select coalesce(r.quantity, 0) + coalesce(m.delta, 0)::bigint as on_hand,
        r.quantity as counted, r.counted_at,
        p.committed, p.unavailable, p.incoming
) made
cross join lateral (
    select c.on_hand, c.on_hand_read as counted, c.on_hand_read_at as counted_at, c.committed,
        c.unavailable, c.incoming
) kept
where made is distinct from kept
"""
STOCK_RECOMPUTED = Invariant(
    "stock_recomputed",
    "A cell is its last count and what moved since, and the sums of what was promised.",
    about="stock", table="stock_cell", key=CELL, broken=by_sql(CELL, RECOMPUTED),
)  # fmt: skip

LINES = """
select id, sku, location_id, state, order_id, served_by from hitotsu.stock_hold
where id = any(%s::uuid[])
"""
APPLIED = "select event_id from ledger where event_id = any(%s::uuid[])"


async def _ended_twice(connection: Connection, keys: Sequence[Key]) -> dict[Key, Violation]:
    """Each line ends once: its event was applied exactly if the line says so, and all lines
    agree.
    """
    lines = await rows_of(connection, LINES, [[key[0] for key in keys]])
    facts = {_fact(line): line for line in lines}
    applied = {row["event_id"] for row in await rows_of(connection, APPLIED, [list(facts)])}
    found: dict[Key, Violation] = {}
    for fact, line in facts.items():
        wrong = _wrong(line, fact in applied)
        if wrong is not None:
            found[line["id"],] = wrong
    for reservation_id, kinds in _kinds(lines).items():
        if len(kinds) > 1:
            found[reservation_id,] = Violation("all lines promised, or none", sorted(kinds))
    return found


def _fact(line: dict[str, Any]) -> UUID:
    return fact_id(line["id"], line["sku"], line["location_id"])


def _wrong(line: dict[str, Any], applied: bool) -> Violation | None:
    state, ordered = line["state"], line["order_id"] is not None or line["served_by"] is not None
    promised = state in (COMMITTED, "applied")
    if promised != ordered:
        return Violation("an order exactly if it was committed", f"{state}, order: {ordered}")
    if applied and state != "applied":
        return Violation("applied: its promise was", state)
    if state == "applied" and not applied:
        return Violation("a promise in the ledger", "none")
    return None


def _kinds(lines: Iterable[dict[str, Any]]) -> dict[UUID, set[str]]:
    """How each hold's lines ended; expired lines may be unmarked, and events are applied one by
    one.
    """
    same = {COMMITTED: "promised", "applied": "promised", "open": "expired"}
    kinds: dict[UUID, set[str]] = {}
    for line in lines:
        kinds.setdefault(line["id"], set()).add(same.get(line["state"], line["state"]))
    return kinds


HOLD_RESOLVED_TWICE = Invariant(
    "hold_resolved_twice",
    "A reservation ends once: released, expired, or committed with one promise in the log a line.",
    about="stock", table="stock_hold", key={"id": "uuid"}, broken=_ended_twice,
)  # fmt: skip

# at a location: the newest line held or served there; over all ("") the newest of the item. Facts
# that took units since then may have undercut promises: that is a shortage, and no wrong grant
UNDERCUT = f"""
with {SHORT.format(of="sku = any(%(skus)s)")}
select short.sku, short.location_id, short.short, taken.units
from short
cross join lateral (
    select position from hitotsu.stock_hold h
    where h.sku = short.sku and h.position is not null
        and short.location_id in ('', coalesce(h.served_by, h.location_id))
    order by created_at desc limit 1
) h
cross join lateral (
    select coalesce(sum(m.units), 0)::bigint as units, bool_or(m.counted) as counted
    from (
        select event_id, -delta as units, false as counted from stock_cell_change
        where sku = short.sku and short.location_id in ('', location_id) and delta < 0
        union all
        select event_id, greatest(committed, 0) + greatest(unavailable, 0), false
        from stock_promise where sku = short.sku and short.location_id in ('', location_id)
        union all
        select event_id, 0, true from stock_count
        where sku = short.sku and short.location_id in ('', location_id)
    ) m join ledger l using (event_id) join hitotsu.topic t on t.no = l.topic
    where l."offset" >= coalesce((h.position ->> (t.name || '-' || l.partition))::bigint, 0)
        and l.schema_id <> all(%(promises)s::int[])
) taken
where taken.counted is not true and short.short > taken.units
"""


async def _promised_twice(connection: Connection, keys: Sequence[Key]) -> dict[Key, Violation]:
    """A shortage after a grant must be explained by events that arrived after it."""
    skus = [key[0] for key in keys]
    promises = [one.id for one in releases().by_id.values() if one.record == PROMISE]
    rows = await rows_of(connection, UNDERCUT, {"skus": skus, "promises": promises})
    return {
        (row["sku"],): Violation(
            f"at most {row['units']} units short at '{row['location_id']}', which facts took",
            f"{row['short']} units short",
        )
        for row in rows
    }


PROMISE = ReservationCommitted.__name__
PROMISED_TWICE = Invariant(
    "promised_twice",
    "No grant left more promised than there was, at its location or over all locations.",
    about="stock", table="stock_cell", key={"sku": "text"}, broken=_promised_twice,
)  # fmt: skip
INVARIANTS = (STOCK_RECOMPUTED, HOLD_RESOLVED_TWICE, PROMISED_TWICE)
SETS = {"stock": ("shared_stock",)}
