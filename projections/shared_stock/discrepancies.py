"""What stock adds to the list of discrepancies, and to the list of sales that were served twice."""

from __future__ import annotations

from projections.catalog import item, item_code, location
from projections.catalog.barcodes import OWN_SKUS
from projections.shared_stock import (
    OF_ORDERS,
    OF_TRANSFERS,
    cell,
    discrepancy,
    expected,
    projection,
)
from projections.shared_stock.item_cells import EXPECTED_OF_ITEMS, WHOLE_CELLS
from projections.shared_stock.preorders import COVERED, NOW
from schemas.barcodes import LONGEST
from schemas.measures import location_sql, unit_sql

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
from ({WHOLE_CELLS}) c
left join (
    with stock_expected as ({EXPECTED_OF_ITEMS}) {COVERED.format(of="true", at=NOW)}
) later using (sku, location_id), lateral (values
    ('negative_stock', -on_hand),
    ('shortage', committed - coalesce(preordered, 0) - greatest(on_hand - unavailable, 0))
) as found(kind, quantity)
where quantity > 0
""",
    cell,
    expected,
    item_code,
    has_subjects=False,
)
# codes of which there is stock and that nobody described; before the first description of any, a
# shop has no catalogue, and nothing is missing in it
projection.lists(
    "discrepancies",
    ("unknown_item", "unknown_location"),
    f"""
select md5(concat_ws('|', kind, sku, location_id))::uuid as id, kind, null::bigint as since, sku,
    location_id, null as terminal, null::uuid as subject_id, null::uuid as event_id,
    null::bigint as quantity, null::bigint as open_after
from (
    select 'unknown_item' as kind, c.sku, null as location_id
    from (select distinct sku from stock_cell) c
    where exists (select from item)
        and not exists (select from item i where i.sku = c.sku)
        and not exists (select from item_code i where i.node = c.sku)
    union all
    select 'unknown_location', null, c.location_id
    from (select distinct {location_sql("location_id")} as location_id from stock_cell) c
    where exists (select from location)
        and not exists (select from location l where l.location_id = c.location_id)
) found
""",
    cell,
    item,
    item_code,
    location,
    has_subjects=False,
)
# items that declared a barcode that belongs to another one, which declared it later
projection.lists(
    "discrepancies",
    ("barcode_twice",),
    f"""
select md5(concat_ws('|', 'barcode_twice', d.code, d.sku))::uuid as id, 'barcode_twice' as kind,
    max(d.described_at) as since, d.sku, null as location_id, null as terminal,
    null::uuid as subject_id, null::uuid as event_id, null::bigint as quantity,
    max(d.described_at) as open_after
from item_code d join ({OWN_SKUS}) o on o.code = d.code and o.sku <> d.sku
where d.node = d.code and length(d.code) = {LONGEST} and d.code <> d.sku
group by d.code, d.sku
""",
    item_code,
    has_subjects=False,
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
