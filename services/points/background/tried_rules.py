"""Tries rules on sales that are in the log: what they would have earned by these rules.

Nothing is stored and nothing decided before counts: a sale earns what it would have earned if the
rules had been in force from the beginning. What else its points depend on (returns, claims, items'
categories, the member's rank and programs) is read as the accrual reads it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.points.holds.balances import members_of
from services.points.program.apportionment import points_left
from services.points.program.currencies import rules_in
from services.points.program.earned_day import EarnedDay, day_of
from services.points.program.earnings import earnings
from services.points.program.programs import Program, Programs, moves_of, programs_at
from services.points.program.rules import EarningRules
from services.points.program.sales import categories_of, rank_of, sales_of
from services.points.program.sold_lines import EarningSale, line_gone
from services.runtime.db import Connection
from services.runtime.rows import rows_of

AT_ONCE = 500
Day = tuple[UUID, int]
"""A member, by the smallest of its profiles, and the start of a day in microseconds."""
SINCE = """
select transaction_id, occurred_at from sale
where occurred_at >= %(since)s and (occurred_at, transaction_id) > (%(at)s, %(id)s::uuid)
order by occurred_at, transaction_id limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class TriedSale:
    """What a sale would have earned. `points`: by its lines as they were sold; `kept`: of these,
    what is left for units that were not returned. `converted`: whether the rules name a rate for
    its currency, or it is the program's own.
    """

    transaction_id: UUID
    profile_id: UUID
    occurred_at: int
    currency: str
    converted: bool
    rank: str | None
    points: int
    kept: int


@dataclass(slots=True)
class TriedTotals:
    """The sums over tried sales. `not_converted`: sales by currency that earn nothing for want of a
    rate.
    """

    sales: int = 0
    points: int = 0
    kept: int = 0
    not_converted: dict[str, int] = field(default_factory=dict)

    def add(self, sale: TriedSale) -> None:
        """Counts one sale."""
        self.sales += 1
        self.points += sale.points
        self.kept += sale.kept
        if not sale.converted:
            many = self.not_converted.get(sale.currency, 0)
            self.not_converted[sale.currency] = many + 1


async def tried(
    connection: Connection, rules: EarningRules, program: Program, programs: Programs, since: int
) -> AsyncIterator[TriedSale]:
    """All sales since `since` (microseconds) whose buyers were in the program, in order of time.

    `connection`: with the group's schema on the search path.
    """
    last, days = {"at": since, "id": UUID(int=0)}, dict[Day, EarnedDay]()
    while True:
        values = {"since": since, "limit": AT_ONCE, **last}
        rows = await rows_of(connection, SINCE, values)
        if not rows:
            return
        last = {"at": rows[-1]["occurred_at"], "id": rows[-1]["transaction_id"]}
        found = await sales_of(connection, [row["transaction_id"] for row in rows])
        sales = [found[row["transaction_id"]] for row in rows]
        for sale in await _tried(connection, sales, rules, program, programs, days):
            yield sale


async def _tried(
    connection: Connection,
    sales: Collection[EarningSale],
    rules: EarningRules,
    program: Program,
    programs: Programs,
    days: dict[Day, EarnedDay],
) -> list[TriedSale]:
    owned = [sale for sale in sales if sale.profile_id is not None]
    members = await members_of(connection, {sale.profile_id for sale in owned if sale.profile_id})
    moves = await moves_of(connection, {one for member in members.values() for one in member})
    categories = await categories_of(connection, owned)
    tried_sales = []
    for sale in owned:
        assert sale.profile_id is not None
        profiles = members[sale.profile_id]
        if program in programs_at(moves, profiles, sale.occurred_at, programs):
            rank = await rank_of(connection, sale, profiles, rules)
            day = None
            if rules.most_per_day is not None:
                place = (min(profiles), day_of(sale, rules)[0])
                day = days.setdefault(place, EarnedDay())
            tried_sales.append(_one(sale, rules, categories[sale.transaction_id], rank, day))
    return tried_sales


def _one(
    sale: EarningSale,
    rules: EarningRules,
    categories: Mapping[str, str | None],
    rank: str | None,
    day: EarnedDay | None,
) -> TriedSale:
    assert sale.profile_id is not None
    before = day.before(sale) if day else 0
    by_line = earnings(sale, rules_in(rules, sale.currency), categories, rank, before)
    if day:
        day.put(sale, sum(one.points for one in by_line))
    kept = sum(
        points_left(one.points, line_gone(line, sale.returned.get(line.line_no, 0)))
        for line, one in zip(sale.lines, by_line, strict=True)
    )
    return TriedSale(
        sale.transaction_id, sale.profile_id, sale.occurred_at, sale.currency,
        rules.worth(sale.currency) is not None, rank, sum(one.points for one in by_line), kept,
    )  # fmt: skip
