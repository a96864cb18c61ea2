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
select md5(concat_ws('|', kind, event_id, sku, location_id))::uuid as id, kind, min(at) as since,
    sku, location_id, null as terminal, transaction_id as subject_id, event_id,
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
# a sale that was told again under another event id, with a profile that does not have it; lateral
# joins (offset 0), because a plan that reads all sales for a few such records would be slow
projection.lists(
    "discrepancies",
    ("owner_differs",),
    """
select md5(concat_ws('|', 'owner_differs', d.event_id, ''))::uuid as id, 'owner_differs' as kind,
    s.occurred_at as since, null as sku, null as location_id, null as terminal,
    s.transaction_id as subject_id, d.event_id, null::bigint as quantity,
    null::bigint as open_after
from duplicate_document d
cross join lateral (select document from ledger where event_id = d.duplicate_of offset 0) l
cross join lateral (
    select transaction_id, owner_id, occurred_at from sale
    where transaction_id = l.document and occurred_at is not null offset 0
) s
left join purchase_claim c on c.transaction_id = s.transaction_id
where d.subject is not null and d.subject <> s.owner_id
    and (s.owner_id <> s.transaction_id or c.profile_id is distinct from d.subject)
""",
    claim,
    sale,
)
