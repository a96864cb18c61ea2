"""Queries for items that should not be recommended to a customer, because of earlier purchases.

This projection has no tables: it reads those of `projections.purchases` and `projections.catalog`.
"""

from __future__ import annotations

from projections.core import Projection

projection = Projection("purchase_suppression", version=2)
