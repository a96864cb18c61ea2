"""By which rules is a sale judged? By those in force when it was made, whenever they came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from services.deciding.answers import Connection
from services.points.earning import Sale
from services.points.judging import Decided, Terms
from services.points.rules import Rules, UnreadableRules, read_rules, version_at
from services.points.sales import categories_of, rank_of, versions
from services.points.standing import Standing
from services.runtime.logging import log

BY_RULES = "RULES"


async def terms_of(
    connection: Connection,
    sales: Iterable[Sale],
    before: Mapping[UUID, Mapping[int, Decided]],
    standing: Standing,
    rules_earn: bool,
) -> dict[UUID, Terms]:
    """Terms by transaction. `rules_earn`: whether in this deployment rules may give points."""
    found = list(sales)
    rows = await versions(connection)
    categories = await categories_of(connection, found)
    read: dict[str, Rules | None] = {}
    terms = {}
    for sale in found:
        row = version_at(rows, sale.occurred_at)
        rules = _read(row, read) if row is not None else None
        if row is None or rules is None:
            terms[sale.transaction_id] = Terms(rules or Rules())
            continue
        earns = rules_earn and row["accrual"] == BY_RULES
        rank = None
        if earns and rules.ranks is not None:
            decided = before.get(sale.transaction_id, {})
            same = [one for one in decided.values() if one.rule_version == row["version"]]
            assert sale.profile_id is not None
            profiles = standing.members.get(sale.profile_id, (sale.profile_id,))
            # a rank that was found stays: what is returned later does not undo it
            rank = same[0].rank if same else await rank_of(connection, sale, profiles, rules)
        terms[sale.transaction_id] = Terms(
            rules, row["version"], earns, categories[sale.transaction_id], rank
        )
    return terms


def _read(row: Mapping[str, Any], read: dict[str, Rules | None]) -> Rules | None:
    """Rules that cannot be read give nothing until a version takes their place; it is said."""
    text = row["rules"]
    if text not in read:
        try:
            read[text] = read_rules(text)
        except UnreadableRules as error:
            read[text] = None
            log.error(
                "rules cannot be read", program=row["program_id"], version=row["version"],
                field=error.field, reason=error.reason,
            )  # fmt: skip
    return read[text]
