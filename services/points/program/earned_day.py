"""What a member's sales of one day earned, in the order in which they use up a day's limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from services.points.program.calendar import local_date, midnight
from services.points.program.rules import EarningRules
from services.points.program.sold_lines import EarningSale


@dataclass(slots=True)
class EarnedDay:
    """The sales of a member on one day: by transaction the time of sale and the points earned.

    Sales use up the day's limit in the order of (time, transaction). Points that are taken back
    when goods come back still count: they do not make room for others.
    """

    sales: dict[UUID, tuple[int, int]] = field(default_factory=dict)

    def before(self, sale: EarningSale) -> int:
        """What the sales before this one earned."""
        place = (sale.occurred_at, sale.transaction_id)
        return sum(points for key, (at, points) in self.sales.items() if (at, key) < place)

    def put(self, sale: EarningSale, points: int) -> None:
        """Says what the rules give for a sale."""
        self.sales[sale.transaction_id] = (sale.occurred_at, points)


def day_of(sale: EarningSale, rules: EarningRules) -> tuple[int, int]:
    """Start and end of the day of the sale's business date, in microseconds: [start, end)."""
    day = local_date(sale.in_force_at, rules.zone)
    return midnight(day, rules.zone), midnight(day + timedelta(days=1), rules.zone)
