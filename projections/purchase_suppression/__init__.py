"""What should not be recommended to a customer, given what was bought?

It has no tables: it reads `projections.purchases` and `projections.catalog`.
"""

from __future__ import annotations

from projections.core import Projection

projection = Projection("purchase_suppression", version=2)
