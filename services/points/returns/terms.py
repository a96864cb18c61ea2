"""Selects the rules by which a sale is judged: those in force at its time, even if set later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from services.points.program.earnings import EarningSale
from services.points.program.rules import EarningRules, readable, version_at
from services.points.program.sales import categories_of, rank_of, versions
from services.points.returns.effective_balances import EffectiveBalances
from services.points.returns.settlement import SettledLine, Terms
from services.runtime.db import Connection

BY_RULES = "RULES"


async def terms_of(
    connection: Connection,
    sales: Iterable[EarningSale],
    before: Mapping[UUID, Mapping[int, SettledLine]],
    standing: EffectiveBalances,
    rules_earn: bool,
) -> dict[UUID, Terms]:
    """Terms by transaction id. `rules_earn`: whether this deployment gives points by rules.

    `before`: stored decisions by transaction id, then by line number. `standing`: has the members.
    """
    found = list(sales)
    rows = readable(await versions(connection))
    categories = await categories_of(connection, found)
    terms = {}
    for sale in found:
        row = version_at(rows, sale.occurred_at)
        if row is None:
            terms[sale.transaction_id] = Terms(EarningRules())
            continue
        rules = row["read"]
        earns = rules_earn and row["accrual"] == BY_RULES
        rank = None
        if earns and rules.ranks is not None:
            decided = before.get(sale.transaction_id, {})
            same = [one for one in decided.values() if one.rule_version == row["version"]]
            assert sale.profile_id is not None
            profiles = standing.members.get(sale.profile_id, (sale.profile_id,))
            rank = await rank_of(connection, sale, profiles, rules)
            if same:
                # what is returned later does not undo a rank; what was bought before and is
                # applied later may raise it
                rank = rules.higher_rank(same[0].rank, rank)
        terms[sale.transaction_id] = Terms(
            rules, row["version"], earns, categories[sale.transaction_id], rank
        )
    return terms
