"""Invariants of stock: conditions on stored rows that a background check tests."""

from __future__ import annotations

from collections.abc import Sequence

from projections.shared_stock.history import COUNTED_AND_MOVED, FOREVER
from projections.shared_stock.shortages import OF_CODES, SHORT
from schemas.generated.events import ReservationCommitted
from schemas.history.releases import releases
from schemas.measures import everywhere_sql
from services.invariants.invariant import Connection, Invariant, Key, Violation, by_sql
from services.runtime.rows import rows_of

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
left join lateral (
    select counted_at, quantity from stock_count
    where sku = c.sku and location_id = c.location_id
    order by counted_at desc, quantity desc limit 1
) n on true
cross join lateral (
    select (coalesce(r.base, 0) + coalesce(m.delta, 0))::bigint as on_hand,
        n.quantity as counted, n.counted_at,
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
    "A cell's values equal its last counts plus the movements since, and the sums of its promises.",
    about="stock", table="stock_cell", key=CELL, broken=by_sql(CELL, RECOMPUTED),
)  # fmt: skip

ORDERED = """
select id, jsonb_build_object('ordered', promised), jsonb_build_object('ordered', not promised)
from (
    select h.id, bool_or(h.state in ('committed', 'applied')) as promised,
        bool_and((h.state in ('committed', 'applied'))
            = (h.order_id is not null or h.served_by is not null)) as right_
    from k join hitotsu.stock_hold h using (id) group by h.id
) x where not right_
"""
COMMITTED_TO_AN_ORDER = Invariant(
    "committed_to_an_order",
    "A reservation names an order if and only if it was committed.",
    about="stock", table="hitotsu.stock_hold", key={"id": "uuid"},
    broken=by_sql({"id": "uuid"}, ORDERED),
)  # fmt: skip

# The newest hold at the location, or of the item for "" (all locations), has the position that its
# decision saw. Events applied since then may have taken units, or counted them again: then they
# caused the shortage, and the grant was right. So may preorders whose units are late: nothing was
# granted from these.
OF_SHORT = f"short.location_id in ({everywhere_sql('location_id')}, location_id)"
UNDERCUT = f"""
with {SHORT.format(of="sku = any(%(skus)s)")}
select short.sku, short.location_id, short.short, taken.units
from short
cross join lateral (
    select position from hitotsu.stock_hold h
    where h.sku = {OF_CODES} and h.position is not null
        and short.location_id in (
            {everywhere_sql("h.location_id")}, coalesce(h.served_by, h.location_id))
    order by created_at desc limit 1
) h
cross join lateral (
    select coalesce(sum(m.units), 0)::bigint as units, bool_or(m.counted) as counted
    from (
        select event_id, -delta as units, false as counted from stock_cell_change
        where sku = {OF_CODES} and delta < 0 and {OF_SHORT}
        union all
        select event_id, greatest(committed, 0) + greatest(unavailable, 0), false
        from stock_promise where sku = {OF_CODES} and {OF_SHORT}
        union all
        select event_id, 0, true from stock_count
        where sku = {OF_CODES} and {OF_SHORT}
    ) m join ledger l using (event_id) join hitotsu.topic t on t.no = l.topic
    where l."offset" >= coalesce((h.position ->> (t.name || '-' || l.partition))::bigint, 0)
        and l.schema_id <> all(%(promises)s::int[])
) taken
cross join lateral (
    select coalesce(sum(preordered), 0)::bigint as units from stock_expected
    where sku = {OF_CODES} and {OF_SHORT}
) later
where taken.counted is not true and short.short > taken.units + later.units
"""


async def _promised_twice(connection: Connection, keys: Sequence[Key]) -> dict[Key, Violation]:
    """Items with a larger shortage than the events explain that arrived after the last grant."""
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
    "No grant promises more units than there were, at its location or over all locations.",
    about="stock", table="stock_cell", key={"sku": "text"}, broken=_promised_twice,
)  # fmt: skip
INVARIANTS = (STOCK_RECOMPUTED, COMMITTED_TO_AN_ORDER, PROMISED_TWICE)
SETS = {"stock": ("shared_stock",)}
