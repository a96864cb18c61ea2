"""Reads sales with their returns, and what their points depend on, from the projections' tables.

A sale is read with all its corrections, whoever sent them. A void is a return of everything. A
guest's purchase belongs to the first profile that claimed it, unless that claim leaves points out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.errors import UndefinedTable

from projections.catalog import calendar_at
from projections.catalog.barcodes import ITEMS
from projections.core.documents import Documents, unpacked
from projections.purchases.documents import COMPLETED, Counted
from projections.purchases.sale_state import SettledSale, settled
from projections.purchases.settlements import SETTLED
from projections.purchases.sold_units import SoldUnits
from schemas.calendars import MOVED_MAX
from schemas.measures import unit_sql
from services.points.program.calendar import months_before
from services.points.program.earned_day import EarnedDay
from services.points.program.rules import EarningRules, readable, version_at
from services.points.program.sold_lines import NEVER_EARN, EarningSale, SoldLine, line_gone
from services.runtime.db import Connection
from services.runtime.rows import rows_of

SALES = """
select transaction_id, owner_id, documents from sale
where transaction_id = any(%s::uuid[]) and occurred_at is not null
"""
# of a till's sale that names an order: units that the order had been given before, unless people
# decided that it was a sale of its own
SERVED_TWICE = f"""
select event_id, sku, {unit_sql("location_id")} as unit, sum(quantity)::bigint as quantity
from stock_discrepancy
where kind = 'doubled_document' and resolution is distinct from 'DOCUMENT_RIGHT'
    and event_id = any(%s::uuid[])
group by event_id, sku, unit
"""
CLAIMS = """
select transaction_id, profile_id from purchase_claim
where transaction_id = any(%s::uuid[]) and treatment <> 'NONE'
"""
# a guest's sale that a member claimed is the member's, unless the claim does nothing to points
SPENT = """
select transaction_id from sale
where owner_id = any(%(profiles)s::uuid[]) and occurred_at >= %(since)s and occurred_at < %(until)s
union all
select transaction_id from purchase_claim c join sale s using (transaction_id)
where c.profile_id = any(%(profiles)s::uuid[]) and c.treatment <> 'NONE'
    and s.owner_id = s.transaction_id and s.occurred_at >= %(since)s and s.occurred_at < %(until)s
"""
LOCATIONS = """
select location_id, valid_from, time_zone, day_starts_at from location where location_id = any(%s)
"""
EARNED = """
select transaction_id, sold_at, sum(points)::bigint as points from (
    select transaction_id from sale
    where owner_id = any(%(who)s) and occurred_at >= %(from)s and occurred_at < %(to)s
    union select transaction_id from purchase_claim where profile_id = any(%(who)s)
) bought join hitotsu.points_decided using (transaction_id)
where sold_at >= %(from)s and sold_at < %(to)s and program_id = %(program)s
group by 1, 2
"""
RULES = "select program_id, valid_from, set_at, version, accrual, rules from program_rules"
RULES_EARN = "select 1 from program_rules where accrual = 'RULES' limit 1"
# an item is sold by its own sku or by a barcode
CATEGORIES = f"""
select codes.asked as sku, valid_from, category
from ({ITEMS.format(codes="%s::text[]")}) codes join item on item.sku = codes.own collate "C"
where codes.code = codes.own
"""


async def sales_of(
    connection: Connection, transactions: Iterable[UUID], until: int | None = None
) -> dict[UUID, EarningSale]:
    """The known sales by transaction id, with all that was returned of them under any profile.

    `until`: only with what corrected them up to that time (microseconds).
    """
    asked = list(transactions)
    rows = await rows_of(connection, SALES, [asked])
    claims = await rows_of(connection, CLAIMS, [asked])
    claimed = {row["transaction_id"]: row["profile_id"] for row in claims}
    settled_sales = {
        row["transaction_id"]: settled(_known(unpacked(row["documents"]), until)) for row in rows
    }
    await _take_off_served_twice(connection, settled_sales.values())
    counted_at = await _counted_at(connection, settled_sales)
    return {
        (key := row["transaction_id"]): earning_sale(
            key, row["owner_id"], settled_sales[key], claimed.get(key), counted_at.get(key)
        )
        for row in rows
    }


async def _counted_at(connection: Connection, sales: Mapping[UUID, SettledSale]) -> dict[UUID, int]:
    """By transaction id, for sales that tell a business date: the instant moved into that date."""
    dated = {key: sale for key, sale in sales.items() if sale.business_date is not None}
    if not dated:
        return {}
    stores: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in await rows_of(connection, LOCATIONS, [sorted({s.location for s in dated.values()})]):
        stores[row["location_id"]].append(row)
    return {
        key: calendar_at(stores[sale.location], sale.at).moved_into(sale.at, sale.business_date)
        for key, sale in dated.items()
    }


def _known(documents: Documents, until: int | None) -> Documents:
    """A sale's documents without corrections that happened after `until`."""
    if until is None:
        return documents
    return {
        name: document
        for name, document in documents.items()
        if document[0] in (COMPLETED, SETTLED) or document[1] <= until
    }


async def _take_off_served_twice(connection: Connection, sales: Iterable[SettledSale]) -> None:
    by_event = {UUID(one.document): one for one in sales if one.order is not None}
    if not by_event:
        return
    twice: dict[UUID, dict[Counted, int]] = defaultdict(dict)
    for row in await rows_of(connection, SERVED_TWICE, [list(by_event)]):
        twice[row["event_id"]][row["sku"], row["unit"]] = row["quantity"]
    for event_id, units in twice.items():
        by_event[event_id].take_off(units)


def earning_sale(
    transaction_id: UUID,
    owner_id: UUID,
    whole: SettledSale,
    claimed_by: UUID | None,
    counted_at: int | None = None,
) -> EarningSale:
    """What matters for points of a sale as all its documents say; a guest's is its own owner.

    Lines are in the order of the receipt; after them those that an amendment took off.
    `counted_at`: the instant moved into the sale's business date; None: the same.
    """
    place = {line.line_no: place for place, line in enumerate(whole.told_lines)}
    lines = tuple(
        _line(sold, whole)
        for _, sold in sorted(
            whole.lines.items(), key=lambda one: (place.get(one[0], len(place)), one[0])
        )
    )
    # a line without units is one whole, which only a void undoes
    returned = {
        line_no: sold.gone or int(whole.voided and not sold.line.quantity)
        for line_no, sold in whole.lines.items()
        if sold.gone or whole.voided
    }
    return EarningSale(
        transaction_id, claimed_by if owner_id == transaction_id else owner_id, whole.at,
        whole.channel, lines, whole.points_paid, returned, whole.currency, whole.receipt,
        amended=whole.told != whole.document, counted_at=counted_at,
    )  # fmt: skip


def _line(sold: SoldUnits, whole: SettledSale) -> SoldLine:
    line = sold.line
    return SoldLine(
        line.line_no, line.sku, line.quantity or 1, line.paid, line.unit, line.kind,
        whole.receipt.rate(line), whole.receipt.tax_included(line, whole.told_lines, whole.total),
        int(sold.lowered),
    )  # fmt: skip


async def versions(connection: Connection) -> list[dict[str, Any]]:
    """All rows of `program_rules`, of all programs, in no order."""
    return await rows_of(connection, RULES, [])


async def rules_earn(connection: Connection) -> bool:
    """Whether a program has, or had, rules that give points."""
    try:
        return bool(await rows_of(connection, RULES_EARN, []))
    except UndefinedTable:  # no projector has made its tables yet
        return False


async def categories_of(
    connection: Connection, sales: Iterable[EarningSale]
) -> dict[UUID, dict[str, str | None]]:
    """By transaction id, then by sku: the item's category at the time of sale; None if unknown."""
    found = list(sales)
    skus = sorted({line.sku for sale in found for line in sale.lines})
    items: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in await rows_of(connection, CATEGORIES, [skus]) if skus else []:
        items[row["sku"]].append({**row, "set_at": 0, "program_id": ""})
    return {
        sale.transaction_id: {
            line.sku: (version_at(items[line.sku], sale.occurred_at) or {}).get("category")
            for line in sale.lines
        }
        for sale in found
    }


async def rank_of(
    connection: Connection, sale: EarningSale, profiles: Sequence[UUID], rules: EarningRules
) -> str | None:
    """The member's rank by its spending in the calendar months before the sale's month.

    None: the rules have no ranks, or the spending reaches none. What was returned after the sale
    does not count. `profiles`: ids of all profiles of the member.
    """
    if rules.ranks is None:
        return None
    start, end = months_before(sale.in_force_at, rules.ranks.months, rules.zone)
    near = {"since": start - MOVED_MAX, "until": end + MOVED_MAX}
    rows = await rows_of(connection, SPENT, {"profiles": list(profiles)} | near)
    transactions = [row["transaction_id"] for row in rows]
    before = await sales_of(connection, transactions, until=sale.occurred_at)
    counted = [one for one in before.values() if start <= one.in_force_at < end]
    return rules.rank(sum(spent(one, rules) for one in counted))


async def earned_day(
    connection: Connection, profiles: Sequence[UUID], program: str, start: int, end: int
) -> EarnedDay:
    """What a program gave for a member's sales of the days in [start, end), as it is stored.

    `program`: empty for the default program.
    """
    asked = {
        "who": list(profiles), "program": program, "from": start - MOVED_MAX, "to": end + MOVED_MAX,
    }  # fmt: skip
    rows = await rows_of(connection, EARNED, asked)
    known = await sales_of(connection, [row["transaction_id"] for row in rows])
    return EarnedDay({
        row["transaction_id"]: (row["sold_at"], row["points"])
        for row in rows
        if start <= known[row["transaction_id"]].in_force_at < end
    })  # fmt: skip


async def rank_months(connection: Connection) -> int:
    """The highest number of months over which a rules version computes ranks; 0: there are no
    ranks.
    """
    rows = readable(await versions(connection))
    return max((row["read"].ranks.months for row in rows if row["read"].ranks), default=0)


def spent(sale: EarningSale, rules: EarningRules) -> int:
    """The amount paid for units that were not returned, rounded down.

    In minor units of the program's currency; 0 in a currency for which the rules declare no rate.
    Less what was taken off and given back; without what is paid in advance, as a gift card is.
    """
    parts = [
        max(0, money - line.lowered) * (1 - line_gone(line, sale.returned.get(line.line_no, 0)))
        for line, money in zip(sale.lines, sale.discounted, strict=True)
        if line.kind not in NEVER_EARN
    ]
    return int(sum(parts) * (rules.worth(sale.currency) or 0))
