"""Reads the sales to judge from the projections; independent of the order of arrival.

If a purchase was sent under two event ids, the earlier counts. A void is a return of everything. A
guest's purchase belongs to the first profile that claimed it, if such a claim earns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from services.points.program.calendar import months_before
from services.points.program.earnings import EarningSale, SoldLine, line_gone
from services.points.program.rules import EarningRules, version_at
from services.runtime.db import Connection
from services.runtime.rows import rows_of

# a sale is found by its owner, who is the buyer's profile, or the sale itself for a guest's
BASIS = """
select distinct on (transaction_id) transaction_id, owner_id, occurred_at, channel, line_nos,
    skus, quantities, paid, points_paid
from purchase where owner_id = any(%s::uuid[]) and transaction_id = any(%s::uuid[])
order by transaction_id, occurred_at, event_id
"""
RETURNS = """
select transaction_id, line_nos, quantities from purchase_return
where owner_id = any(%s::uuid[]) and transaction_id = any(%s::uuid[])
"""
# whose claim was judged keeps it: another one that turns out to be earlier changes nothing
CLAIMS = """
select distinct on (c.transaction_id) c.transaction_id, c.profile_id from purchase_claim c
left join hitotsu.points_decided d
    on d.transaction_id = c.transaction_id and d.profile_id = c.profile_id
where c.transaction_id = any(%s::uuid[]) and c.treatment <> 'NONE'
order by c.transaction_id, d.profile_id is null, c.claimed_at, c.profile_id
"""
SPENT = """
select transaction_id from purchase
where owner_id = any(%s::uuid[]) and occurred_at >= %s and occurred_at < %s
"""
RULES = "select program_id, valid_from, set_at, version, accrual, rules from program_rules"
CATEGORIES = "select sku, valid_from, category from item where sku = any(%s)"


async def sales_of(
    connection: Connection, transactions: Iterable[UUID], owners: Iterable[UUID]
) -> dict[UUID, EarningSale]:
    """The known sales, with their returns. `owners`: the profiles that may own them."""
    asked = list(transactions)
    whose = [list({*owners, *asked}), asked]
    rows = await rows_of(connection, BASIS, whose)
    claims = await rows_of(connection, CLAIMS, [asked])
    back = await rows_of(connection, RETURNS, whose)
    claimed = {row["transaction_id"]: row["profile_id"] for row in claims}
    returns: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in back:
        returns[row["transaction_id"]].append(row)
    return {
        row["transaction_id"]: _sale(
            row, claimed.get(row["transaction_id"]), returns[row["transaction_id"]]
        )
        for row in rows
    }


def _sale(
    row: dict[str, Any], claimed_by: UUID | None, back: Iterable[dict[str, Any]]
) -> EarningSale:
    lines = tuple(
        SoldLine(line_no, sku, quantity, paid)
        for line_no, sku, quantity, paid in zip(
            row["line_nos"], row["skus"], row["quantities"], row["paid"]
        )
    )
    units: Counter[int] = Counter()
    for one in back:
        units.update(dict(zip(one["line_nos"], one["quantities"])))
    returned = {
        line.line_no: min(units[line.line_no], line.quantity)
        for line in lines
        if units[line.line_no] > 0
    }
    guest = row["owner_id"] == row["transaction_id"]
    return EarningSale(
        row["transaction_id"], claimed_by if guest else row["owner_id"], row["occurred_at"],
        row["channel"], lines, row["points_paid"], returned,
    )  # fmt: skip


async def versions(connection: Connection) -> list[dict[str, Any]]:
    """Every version of the program's rules."""
    return await rows_of(connection, RULES, [])


async def categories_of(
    connection: Connection, sales: Iterable[EarningSale]
) -> dict[UUID, dict[str, str | None]]:
    """By sale: each item's category in force at the time of sale."""
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
    """The member's rank, by its spending in the months before the sale."""
    if rules.ranks is None:
        return None
    start, end = months_before(sale.occurred_at, rules.ranks.months, rules.zone)
    rows = await rows_of(connection, SPENT, [list(profiles), start, end])
    before = await sales_of(connection, [row["transaction_id"] for row in rows], profiles)
    return rules.rank(sum(spent(one) for one in before.values()))


def spent(sale: EarningSale) -> int:
    """What was paid for goods that were not returned."""
    parts = [
        line.paid * (1 - line_gone(line, sale.returned.get(line.line_no, 0))) for line in sale.lines
    ]
    return int(sum(parts))
