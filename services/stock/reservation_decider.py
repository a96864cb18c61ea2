"""The decider of stock reservations: its commands, and the projections on which it depends."""

from __future__ import annotations

from projections.shared_stock import projection as shared_stock
from services.deciding.catalogue import DeciderDeclaration
from services.stock.routes import operations
from services.stock.work import StockWork

DECIDER = DeciderDeclaration(
    name="stock",
    needs=frozenset({shared_stock.name}),
    work=lambda settings: StockWork(settings.group),
    operations=lambda door, postgres, settings: operations(door, postgres, settings.group),
)
