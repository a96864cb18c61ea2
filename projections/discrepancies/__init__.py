"""What does not fit: the discrepancies of all projections, and what people settled.

Each projection lists its own, from rows that it keeps (`Projection.lists`). Here is only what
somebody decided about them.
"""

from __future__ import annotations

from collections.abc import Iterator

from projections.core import Projection, Row, key, latest_by, maximum
from schemas.generated.events import DiscrepancySettled

projection = Projection("discrepancies", version=1)

settlement = projection.table(
    "discrepancy_settlement",
    discrepancy_id=key("uuid"),
    settled_at=maximum(),
    resolution=latest_by("text", at="settled_at"),
    actor=latest_by("text", at="settled_at"),
    reason_code=latest_by("text", at="settled_at"),
)


@projection.on(DiscrepancySettled)
def settled(event: DiscrepancySettled) -> Iterator[Row]:
    yield settlement(
        discrepancy_id=event.discrepancy_id,
        settled_at=event.meta.occurred_at,
        resolution=event.resolution,
        actor=event.actor,
        reason_code=event.reason_code,
    )
