"""Selects the rules by which a sale is judged: those in force at its time, even if set later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from uuid import UUID

from services.points.program.earned_day import EarnedDay, day_of
from services.points.program.programs import in_force, moves_of, programs_at
from services.points.program.rules import EarningRules, readable
from services.points.program.sales import categories_of, earned_day, rank_of, versions
from services.points.program.sold_lines import EarningSale
from services.points.returns.effective_balances import EffectiveBalances
from services.points.returns.settlement import Judged, SettledLine, Terms
from services.runtime.db import Connection

BY_RULES = "RULES"


async def terms_of(
    connection: Connection,
    sales: Iterable[EarningSale],
    before: Mapping[Judged, Mapping[int, SettledLine]],
    standing: EffectiveBalances,
) -> dict[Judged, Terms]:
    """Terms by transaction id and program: of the programs that the buyer was in at the time of
    the sale, and of those that judged it before.

    `before`: stored decisions by transaction id and program, then by line number. `standing`: has
    the members.
    """
    found = list(sales)
    rows = readable(await versions(connection))
    categories = await categories_of(connection, found)
    moves = await moves_of(connection, {one for sale in found for one in _buyers(sale, standing)})
    earlier: dict[UUID, set[str]] = defaultdict(set)
    for transaction_id, name in before:
        earlier[transaction_id].add(name)
    terms = {}
    days: dict[tuple[str, UUID, int, int], EarnedDay] = {}
    for sale in found:
        programs = standing.programs
        own = programs_at(moves, _buyers(sale, standing), sale.occurred_at, programs)
        judged = [programs.of(name) for name in sorted(earlier[sale.transaction_id])]
        for program in dict.fromkeys([*own, *judged]):
            row = in_force(rows, program, sale.in_force_at)
            key = sale.transaction_id, program.stored
            made = Terms(EarningRules(), program=program)
            if row is not None:
                earns = row["accrual"] == BY_RULES
                made = Terms(
                    row["read"], row["version"], earns, categories[sale.transaction_id],
                    program=program,
                )  # fmt: skip
                if earns and row["read"].ranks is not None:
                    rank = await _rank(connection, sale, made, before.get(key, {}), standing)
                    made = replace(made, rank=rank)
                if earns and row["read"].most_per_day is not None:
                    day = await _day(connection, sale, made, standing, days)
                    made = replace(made, day=day)
            # points of a program that the buyer was not in after all are taken back
            terms[key] = made if program in own else replace(made, rules=_none_earned(made.rules))
    return terms


def _buyers(sale: EarningSale, standing: EffectiveBalances) -> tuple[UUID, ...]:
    """All profiles of the buyer."""
    assert sale.profile_id is not None
    return standing.members.get(sale.profile_id, (sale.profile_id,))


async def _day(
    connection: Connection,
    sale: EarningSale,
    terms: Terms,
    standing: EffectiveBalances,
    days: dict[tuple[str, UUID, int, int], EarnedDay],
) -> EarnedDay:
    """What the buyer's sales of that day earned in the program; one object for all of them."""
    buyers, (since, until) = _buyers(sale, standing), day_of(sale, terms.rules)
    place = (terms.program.stored, min(buyers), since, until)
    if place not in days:
        days[place] = await earned_day(connection, buyers, terms.program.stored, since, until)
    return days[place]


def _none_earned(rules: EarningRules) -> EarningRules:
    return rules.model_copy(update={"earn": []})


async def _rank(
    connection: Connection,
    sale: EarningSale,
    terms: Terms,
    decided: Mapping[int, SettledLine],
    standing: EffectiveBalances,
) -> str | None:
    rank = await rank_of(connection, sale, _buyers(sale, standing), terms.rules)
    same = [one for one in decided.values() if one.rule_version == terms.version]
    # what is returned later does not undo a rank; what was bought before and is applied later may
    # raise it
    return terms.rules.higher_rank(same[0].rank, rank) if same else rank
