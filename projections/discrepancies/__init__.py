"""What does not fit: the discrepancies of all projections, and what people settled.

Each projection lists its own, from rows that it keeps (`Projection.lists`), and moves what a
decision moves. Here is only what somebody decided about them. A decision that names another
subject, kind or location than the discrepancy has, or a resolution that its kind does not know,
moves nothing anywhere: the discrepancy stays open.
"""

from __future__ import annotations

from collections.abc import Iterator

from projections.core import Projection, Row, key, latest_by, maximum
from projections.discrepancies.kinds import KINDS, Kind
from schemas.generated.events import DiscrepancySettled

projection = Projection("discrepancies", version=3)

# `subject_id`: the discrepancy's own id where it is about no sale, order or transfer;
# `location_id`: "" where the decision names none, which is then about any
settlement = projection.table(
    "discrepancy_settlement",
    discrepancy_id=key("uuid"),
    kind=key("text"),
    subject_id=key("uuid"),
    location_id=key("text"),
    settled_at=maximum(),
    resolution=latest_by("text", at="settled_at"),
    actor=latest_by("text", at="settled_at"),
    reason_code=latest_by("text", at="settled_at"),
)


@projection.on(DiscrepancySettled)
def settled(event: DiscrepancySettled) -> Iterator[Row]:
    kind = KINDS.get(event.kind, Kind())
    if event.resolution not in kind.resolutions:
        return
    subject = event.subject_id if kind.subject else event.discrepancy_id
    if subject is None:
        return
    yield settlement(
        discrepancy_id=event.discrepancy_id,
        kind=event.kind,
        subject_id=subject,
        location_id=event.location_id or "",
        settled_at=event.meta.occurred_at,
        resolution=event.resolution,
        actor=event.actor,
        reason_code=event.reason_code,
    )
