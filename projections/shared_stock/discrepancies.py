"""What stock adds to the list of discrepancies, and to the list of sales that were served twice."""

from __future__ import annotations

from projections.shared_stock import (
    OF_ORDERS,
    OF_TRANSFERS,
    cell,
    discrepancy,
    expected,
    projection,
)
from projections.shared_stock.preorders import COVERED, NOW
from schemas.measures import unit_sql

projection.lists(
    "discrepancies",
    (*OF_ORDERS, *OF_TRANSFERS),
    """
select md5(concat_ws('|', kind, event_id, sku, location_id))::uuid as id, kind, min(at) as since,
    sku, location_id, null as terminal, subject_id, event_id,
    sum(quantity)::bigint as quantity, null::bigint as open_after
from stock_discrepancy group by kind, event_id, sku, location_id, subject_id
""",
    discrepancy,
)
# both last as long as the rows say so; reservations are not counted, their readers show them, and
# preorders are from a day after their date on, or when too few units are expected by then
projection.lists(
    "discrepancies",
    ("negative_stock", "shortage"),
    f"""
select md5(concat_ws('|', kind, sku, location_id))::uuid as id, kind, null::bigint as since, sku,
    location_id, null as terminal, null::uuid as subject_id, null::uuid as event_id, quantity,
    null::bigint as open_after
from stock_cell
left join ({COVERED.format(of="true", at=NOW)}) later using (sku, location_id), lateral (values
    ('negative_stock', -on_hand),
    ('shortage', committed - coalesce(preordered, 0) - greatest(on_hand - unavailable, 0))
) as found(kind, quantity)
where quantity > 0
""",
    cell,
    expected,
)
# of a sale at a till that names an order: units that the order had been given before, unless people
# decided that it was a sale of its own
projection.lists(
    "units_served_twice",
    (),
    f"""
select event_id, sku, {unit_sql("location_id")} as unit, sum(quantity)::bigint as quantity
from stock_discrepancy
where kind = 'doubled_document' and resolution is distinct from 'DOCUMENT_RIGHT'
group by event_id, sku, unit
""",
    discrepancy,
)
