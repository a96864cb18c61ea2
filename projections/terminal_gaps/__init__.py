"""The table of receipt numbers per till: numbers are consecutive, so a gap is a missing event."""

from __future__ import annotations

from collections.abc import Sequence

from projections.core import Projection, Row, key, spans
from schemas.generated.events import (
    DeadLettered,
    PointsEarned,
    PointsRedeemed,
    PointsReversed,
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
)

projection = Projection("terminal_gaps", version=2)
# Receipt numbers per row. A partition has only a part of a till's receipts, so the ranges in a row
# do not merge. In a single row they would become ever more, and every batch would write all again.
BLOCK = 1_000

receipts = projection.table(
    "terminal_receipts",
    system=key("text"),
    store_id=key("text"),
    terminal_id=key("text"),
    epoch=key("int"),
    block=key("bigint"),
    seen=spans(),
    by_partition=True,
    contended=True,
)


@projection.on(
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
    PointsEarned,
    PointsRedeemed,
    PointsReversed,
    DeadLettered,
)
def receipt_seen(event: PurchaseCompleted) -> Sequence[Row]:
    """The receipt number of an event; that of a dead letter counts as arrived.

    It returns a sequence, because many events have no number, and a generator costs more.
    """
    producer = event.meta.producer
    if producer.terminal_sequence is None or producer.terminal_id is None:
        return ()
    return (
        receipts(
            system=producer.system,
            store_id=producer.store_id or "",
            terminal_id=producer.terminal_id,
            epoch=producer.terminal_epoch,
            block=producer.terminal_sequence // BLOCK,
            seen=producer.terminal_sequence,
        ),
    )
