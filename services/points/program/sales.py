"""Reads sales with their returns, and what their points depend on, from the projections' tables.

The result does not depend on the order in which events arrived: of a purchase sent under two event
ids the earlier counts; a void is a return of all units; a guest's purchase belongs to the first
profile with a claim that earns points.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from services.points.program.calendar import months_before
from services.points.program.earnings import EarningSale, SoldLine, line_gone
from services.points.program.rules import EarningRules, readable, version_at
from services.runtime.db import Connection
from services.runtime.rows import rows_of

# owner_id is the buyer's profile; for a guest's purchase it is the transaction id
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
# the profile whose claim was judged stays the owner, even if an earlier claim arrives later
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
    """By transaction id: the applied sales among `transactions`, with their returns.

    `owners`: ids of the profiles that may own them.
    """
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
    """All rows of `program_rules`, in no order."""
    return await rows_of(connection, RULES, [])


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
    """The member's rank by its spending in the months before the sale; None if it has none.

    `profiles`: ids of all profiles of the member.
    """
    if rules.ranks is None:
        return None
    start, end = months_before(sale.occurred_at, rules.ranks.months, rules.zone)
    rows = await rows_of(connection, SPENT, [list(profiles), start, end])
    before = await sales_of(connection, [row["transaction_id"] for row in rows], profiles)
    return rules.rank(sum(spent(one) for one in before.values()))


async def rank_months(connection: Connection) -> int:
    """The highest number of months over which a rules version computes ranks; 0: there are no
    ranks.
    """
    rows = readable(await versions(connection))
    return max((row["read"].ranks.months for row in rows if row["read"].ranks), default=0)


def spent(sale: EarningSale) -> int:
    """The amount paid for units that were not returned, in minor units, rounded down."""
    parts = [
        line.paid * (1 - line_gone(line, sale.returned.get(line.line_no, 0))) for line in sale.lines
    ]
    return int(sum(parts))
