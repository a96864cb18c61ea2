"""What should not be recommended to somebody, because of what was bought?

It keeps no table: it reads `projections.purchases` and `projections.catalog`.
"""

from __future__ import annotations

from projections.core import Projection

projection = Projection("purchase_suppression", version=2)
