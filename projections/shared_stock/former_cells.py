"""Stock cells before and after their tables are built anew, and the documents that made the change.

Every document's part of a cell (what it moved, at which time, and what it counted) is compared.
Those whose part differs are responsible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from projections.core.comparison import (
    TIME_PUT_RIGHT,
    ChangedAnswer,
    ResponsibleDocument,
    event_type,
)
from projections.shared_stock import projection
from schemas.measures import location_and_unit, shown, unit_sql

FORMER = ("stock_cell", "stock_cell_change", "stock_count", "stock_promise")
DOCUMENTS_MAX = 20
# the reason of a document that counted as pieces what is told with a unit or decimals
MEASURED = "counted_in_its_unit"
COMPARED = """
select count(*) from {live}.stock_cell l full join {shadow}.stock_cell s using (sku, location_id)
"""
# what lies before the last count of both sides does not matter for on hand
_PARTS = """
    select sku, location_id, event_id, min(at) as at, sum(on_hand)::bigint as on_hand,
        sum(committed)::bigint as committed, sum(unavailable)::bigint as unavailable,
        sum(incoming)::bigint as incoming, max(counted) as counted
    from (
        select c.sku, c.location_id, c.event_id, c.at, c.delta as on_hand, 0 as committed,
            0 as unavailable, 0 as incoming, null::bigint as counted
        from {schema}.stock_cell_change c join cells using (sku, location_id)
        where c.at >= cells.since
        union all
        select p.sku, p.location_id, p.event_id, p.at, 0, p.committed, p.unavailable, p.incoming,
            null
        from {schema}.stock_promise p join cells using (sku, location_id)
        union all
        select c.sku, c.location_id, c.event_id, c.counted_at, 0, 0, 0, 0, c.quantity
        from {schema}.stock_count c join cells using (sku, location_id)
        where c.counted_at >= cells.since
    ) moved group by sku, location_id, event_id
"""
_VALUES = "at, {0}.on_hand, {0}.committed, {0}.unavailable, {0}.incoming, {0}.counted"
_OLD, _NEW = f"o.{_VALUES.format('o')}", f"n.{_VALUES.format('n')}"
CANDIDATES = f"""
with cells as (
    select sku, location_id,
        coalesce(least(l.on_hand_read_at, s.on_hand_read_at), -9223372036854775808) as since,
        case when l.sku is not null then jsonb_build_object('on_hand', coalesce(l.on_hand, 0),
            'committed', l.committed, 'unavailable', l.unavailable, 'incoming', l.incoming)
        end as before,
        case when s.sku is not null then jsonb_build_object('on_hand', coalesce(s.on_hand, 0),
            'committed', s.committed, 'unavailable', s.unavailable, 'incoming', s.incoming)
        end as after
    from {{live}}.stock_cell l full join {{shadow}}.stock_cell s using (sku, location_id)
    where (coalesce(l.on_hand, 0), coalesce(l.committed, 0), coalesce(l.unavailable, 0),
            coalesce(l.incoming, 0))
        <> (coalesce(s.on_hand, 0), coalesce(s.committed, 0), coalesce(s.unavailable, 0),
            coalesce(s.incoming, 0))
), o as ({_PARTS.replace("{schema}", "{live}")}), n as ({_PARTS.replace("{schema}", "{shadow}")}),
differing as (
    select sku, location_id, event_id, to_jsonb(o) as before, to_jsonb(n) as after,
        row_number() over (partition by sku, location_id order by coalesce(o.at, n.at), event_id)
            as number,
        count(*) over (partition by sku, location_id) as documents_total
    from o full join n using (sku, location_id, event_id)
    where ({_OLD}) is distinct from ({_NEW})
), listed as (
    select d.sku, d.location_id, max(d.documents_total) as documents_total,
        jsonb_agg(jsonb_build_object('event_id', d.event_id, 'schema_id', l.schema_id,
            'before', d.before, 'after', d.after, 'measured', exists (
                select from differing m where m.event_id = d.event_id and m.sku = d.sku
                    and {unit_sql("m.location_id")} is not null
            ), 'misfits', array(
                select kind from {{shadow}}.stock_discrepancy m
                where m.event_id = d.event_id and m.sku = d.sku
                union select kind from {{shadow}}.purchase_discrepancy m
                where m.event_id = d.event_id and m.sku = d.sku
            )) order by d.number) as documents
    from differing d left join {{live}}.ledger l using (event_id)
    where d.number <= {DOCUMENTS_MAX} group by 1, 2
)
select cells.sku, cells.location_id, cells.before, cells.after, listed.documents,
    listed.documents_total
from cells left join listed using (sku, location_id) order by 1, 2
"""
# the reason of a document that fits, by its event type
REASONS = {
    "PurchaseReturned": "return_found_sale",
    "PurchaseVoided": "return_found_sale",
    "StockAllocated": "order_life",
    "ReservationCommitted": "order_life",
    "AllocationReleased": "order_life",
    "StockShipped": "order_life",
    "TransferShipped": "transfer",
    "TransferReceived": "transfer",
}
AMOUNTS = ("on_hand", "committed", "unavailable", "incoming", "counted")


def changed_cell(row: Mapping[str, Any]) -> Iterator[ChangedAnswer]:
    """The cell of a row, with the documents that made the change."""
    documents = tuple(
        ResponsibleDocument(one["event_id"], event_type(one["schema_id"]), _reason(one))
        for one in row["documents"] or ()
    )
    location_id, unit = location_and_unit(row["location_id"])
    key = {"sku": row["sku"], "location_id": location_id}
    if unit is not None:
        key["unit"] = unit
    before, after = (_amounts(row[side], unit) for side in ("before", "after"))
    yield ChangedAnswer(key, before, after, documents, row["documents_total"] or 0)


def _amounts(told: Mapping[str, int] | None, unit: str | None) -> dict[str, int | float] | None:
    """Amounts of a cell as answers show them."""
    return None if told is None else {name: shown(amount, unit) for name, amount in told.items()}


def _reason(document: Mapping[str, Any]) -> str:
    """The kind of discrepancy that the document is; else what it now does otherwise."""
    before, after = document["before"], document["after"]
    if document["misfits"]:
        return str(min(document["misfits"]))
    if document["measured"]:
        return MEASURED
    kind = event_type(document["schema_id"])
    if before and after and all(before[name] == after[name] for name in AMOUNTS):
        return TIME_PUT_RIGHT
    if kind == "PurchaseCompleted":
        # units that are shipped or picked up are committed when sold, and leave later
        return "told_twice" if after is None else "order_life"
    return REASONS.get(kind, "other")


projection.compares("stock", changed_cell, former=FORMER, compared=COMPARED, candidates=CANDIDATES)
