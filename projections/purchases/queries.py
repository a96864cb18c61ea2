"""What purchases add to the list of discrepancies; other projections' queries read purchases."""

from __future__ import annotations

from projections.purchases import MISFITS, claim, discrepancy, projection, sale, told_claim
from projections.purchases import former_lists as _former_lists  # noqa: F401
from projections.purchases import sale_page as _sale_page  # noqa: F401
from projections.purchases import search as _search  # noqa: F401

projection.lists(
    "discrepancies",
    MISFITS,
    """
select md5(concat_ws('|', kind, event_id, sku))::uuid as id, kind, min(at) as since, sku,
    location_id, null as terminal, transaction_id as subject_id, event_id,
    sum(quantity)::bigint as quantity, null::bigint as open_after
from purchase_discrepancy group by kind, event_id, sku, location_id, transaction_id
""",
    discrepancy,
)
# a sale keeps the first claim in the log; one that has an owner cannot be claimed
projection.lists(
    "discrepancies",
    ("second_claim",),
    """
select md5(concat_ws('|', 'second_claim', t.event_id))::uuid as id, 'second_claim' as kind,
    t.at as since, null as sku, null as location_id, null as terminal,
    t.transaction_id as subject_id, t.event_id, null::bigint as quantity,
    null::bigint as open_after
from purchase_claim_told t join purchase_claim c using (transaction_id)
left join sale s using (transaction_id)
where t.profile_id <> c.profile_id
    or (s.owner_id <> s.transaction_id and s.owner_id <> t.profile_id)
""",
    told_claim,
    claim,
    sale,
)
