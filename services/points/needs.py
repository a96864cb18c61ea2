"""The projections that decisions about points read; commands wait while these are being built."""

from __future__ import annotations

from projections.member import projection as member
from projections.point_balance import projection as point_balance
from projections.purchase_suppression import projection as purchases

HOLDS = frozenset({point_balance.name, member.name})
RETURNS = HOLDS | {purchases.name}
