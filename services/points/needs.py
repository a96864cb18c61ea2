"""The projections whose tables decisions about points read.

While one of them is being built, the commands answer 503 and the background tasks pause.
"""

from __future__ import annotations

from projections.catalog import projection as catalog
from projections.member import projection as member
from projections.point_balance import projection as point_balance
from projections.program_membership import projection as program_membership
from projections.purchases import projection as purchases
from projections.shared_stock import projection as shared_stock

HOLDS = frozenset({point_balance.name, member.name})
# a sale's corrections, the categories of its items, units taken off as handed out before, and the
# buyer's programs
RETURNS = HOLDS | {
    purchases.name, catalog.name, shared_stock.name, program_membership.name,
}  # fmt: skip
