"""Purchase lists before and after the upgrade from releases that kept sales and returns apart.

Before, a list showed every telling of a sale, and a return only if it was told under the list's own
profile. Now a sale has all its documents. A list is that of a profile: a member's is the sum of its
profiles' lists.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from projections.core.comparison import (
    TIME_PUT_RIGHT,
    ChangedAnswer,
    ResponsibleDocument,
)
from projections.core.documents import unpacked
from projections.core.instants import instant
from projections.purchases import projection
from projections.purchases.sale_state import SettledSale, settled
from projections.purchases.sold_units import SoldUnits
from schemas.measures import shown

FORMER = ("purchase", "purchase_return", "purchase_claim")
FOUND, OVER, TWICE, CLAIM = "return_found_sale", "over_return", "told_twice", "second_claim"
COMPARED = """
select count(*) from (
    select owner_id, transaction_id from {live}.purchase
    union select owner_id, transaction_id from {shadow}.sale where occurred_at is not null
) l
"""
# a list can have changed only where something was told of a sale beside itself, or where owner or
# time of a sale differ; only these rows are read
CANDIDATES = """
with maybe as (
    select transaction_id from {live}.purchase_return
    union select transaction_id from {live}.purchase group by transaction_id having count(*) > 1
    union select coalesce(p.transaction_id, s.transaction_id)
        from {live}.purchase p
        full join (select * from {shadow}.sale where occurred_at is not null) s
            on s.transaction_id = p.transaction_id
        where p.owner_id is distinct from s.owner_id or p.occurred_at is distinct from s.occurred_at
    union select coalesce(c.transaction_id, n.transaction_id)
        from {live}.purchase_claim c full join {shadow}.purchase_claim n
            on n.transaction_id = c.transaction_id and n.profile_id = c.profile_id
        where n.profile_id is null or c.profile_id is null
), told as (
    select transaction_id, jsonb_agg(to_jsonb(p)) as purchases
    from {live}.purchase p join maybe using (transaction_id) group by 1
), back as (
    select transaction_id, jsonb_agg(to_jsonb(r)) as returns
    from {live}.purchase_return r join maybe using (transaction_id) group by 1
), claims as (
    select transaction_id, array_agg(profile_id::text) as claimed_by
    from {live}.purchase_claim join maybe using (transaction_id) group by 1
)
select maybe.transaction_id, told.purchases, back.returns, claims.claimed_by, s.documents,
    s.owner_id, n.profile_id as claimer_id,
    (select jsonb_object_agg(event_id, profile_id) from {shadow}.purchase_claim_told c
        where c.transaction_id = maybe.transaction_id) as claims_told
from maybe left join told using (transaction_id) left join back using (transaction_id)
left join claims using (transaction_id) left join {shadow}.sale s using (transaction_id)
left join {shadow}.purchase_claim n using (transaction_id)
order by maybe.transaction_id
"""
Row = Mapping[str, Any]
Documents = dict[str, ResponsibleDocument]  # by event id


def changed_lists(row: Row) -> Iterator[ChangedAnswer]:
    """The lists on which a sale looks otherwise than before."""
    transaction_id = str(row["transaction_id"])
    purchases, returns = row["purchases"] or [], row["returns"] or []
    sale = settled(unpacked(row["documents"])) if row["documents"] else SettledSale()
    before = _before(transaction_id, purchases, returns, row["claimed_by"] or [])
    after = _after(row, sale)
    for owner in sorted({*before, *after}):
        if before.get(owner) == after.get(owner):
            continue
        documents = _responsible(row, owner, sale, before.get(owner), after.get(owner))
        yield ChangedAnswer(
            {"profile_id": owner, "transaction_id": transaction_id},
            before.get(owner), after.get(owner), tuple(documents.values()), len(documents),
        )  # fmt: skip


def _before(
    transaction_id: str, purchases: Iterable[Row], returns: Iterable[Row], claimed_by: list[str]
) -> dict[str, list[Any]]:
    """What the lists showed of the sale, by profile; a guest's sale is on those of its claimers."""
    lists: dict[str, list[Any]] = defaultdict(list)
    returns = list(returns)
    for told in sorted(purchases, key=lambda one: (one["occurred_at"], one["event_id"])):
        guest = told["owner_id"] == transaction_id
        for owner in sorted(claimed_by) if guest else [told["owner_id"]]:
            back: dict[int, int] = defaultdict(int)
            for one in returns:
                if one["owner_id"] in _seen_by(owner, transaction_id, guest):
                    for line_no, units in zip(one["line_nos"], one["quantities"], strict=True):
                        back[line_no] += units
            lists[owner].append({
                "occurred_at": instant(told["occurred_at"]).isoformat(),
                "lines": [
                    {"line_no": line_no, "sku": sku, "quantity": units, "returned": back[line_no]}
                    for line_no, sku, units in zip(
                        told["line_nos"], told["skus"], told["quantities"], strict=True
                    )
                ],
            })  # fmt: skip
    return lists


def _seen_by(owner: str, transaction_id: str, guest: bool) -> set[str]:
    """Under which profiles a return had to be told to be seen on this list."""
    return {owner, transaction_id} if guest else {owner}


def _after(row: Row, sale: SettledSale) -> dict[str, list[Any]]:
    """What the lists show of the sale now."""
    if not sale.known:
        return {}
    guest = row["owner_id"] == row["transaction_id"]
    owner = row["claimer_id"] if guest else row["owner_id"]
    if owner is None:
        return {}
    lines = [_line(sold) for sold in sale.lines.values()]
    return {str(owner): [{"occurred_at": instant(sale.at).isoformat(), "lines": lines}]}


def _line(sold: SoldUnits) -> dict[str, Any]:
    unit = sold.line.unit
    line = {
        "line_no": sold.line.line_no, "sku": sold.line.sku,
        "quantity": shown(sold.line.quantity, unit), "returned": shown(sold.gone, unit),
    }  # fmt: skip
    return line if unit is None else {**line, "unit": unit}


def _responsible(
    row: Row, owner: str, sale: SettledSale, before: list[Any] | None, after: list[Any] | None
) -> Documents:
    """Each document because of which the list of `owner` differs, with the reason."""
    found: Documents = {}

    def add(event_id: str, event_type: str, reason: str) -> None:
        found.setdefault(event_id, ResponsibleDocument(event_id, event_type, reason))

    own = {owner, str(row["transaction_id"])}
    for told in row["purchases"] or []:
        if told["owner_id"] in own and told["event_id"].replace("-", "") != sale.document:
            add(told["event_id"], "PurchaseCompleted", TWICE)
    for event_id, profile_id in (row["claims_told"] or {}).items():
        if profile_id == owner and after is None:
            add(event_id, "PurchaseAttributed", CLAIM)
    if after is not None:
        over = {effect.document for effect in sale.effects if effect.over}
        guest = row["owner_id"] == row["transaction_id"]
        seen_by = _seen_by(owner, str(row["transaction_id"]), guest)
        for back in row["returns"] or []:
            if back["event_id"].replace("-", "") in over:
                add(back["event_id"], _kind(sale, back["event_id"]), OVER)
            elif back["owner_id"] not in seen_by:
                add(back["event_id"], _kind(sale, back["event_id"]), FOUND)
        if before and before[0]["occurred_at"] != after[0]["occurred_at"]:
            add(str(UUID(sale.document)), "PurchaseCompleted", TIME_PUT_RIGHT)
    return found


def _kind(sale: SettledSale, event_id: str) -> str:
    name = event_id.replace("-", "")
    voids = any(effect.document == name and effect.kind == "void" for effect in sale.effects)
    return "PurchaseVoided" if voids else "PurchaseReturned"


projection.compares(
    "purchases", changed_lists, former=FORMER, compared=COMPARED, candidates=CANDIDATES
)
