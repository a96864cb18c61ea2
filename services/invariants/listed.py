"""Which invariants are there, and which sets of them and of projections have a name?"""

from __future__ import annotations

from services.invariants.invariant import Invariant
from services.points.invariants import POINTS_INVARIANTS
from services.stock.invariants import HOLD_RESOLVED_TWICE, PROMISED_TWICE, STOCK_RECOMPUTED

INVARIANTS: tuple[Invariant, ...] = (
    STOCK_RECOMPUTED, HOLD_RESOLVED_TWICE, PROMISED_TWICE, *POINTS_INVARIANTS,
)  # fmt: skip
# what `hitotsu verify NAME` looks at: these projections, and every invariant that is `about` it
SETS: dict[str, tuple[str, ...]] = {
    "stock": ("shared_stock",),
    "points": ("point_balance",),
}
