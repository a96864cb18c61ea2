"""Missing receipts. A till numbers its receipts consecutively, so a gap is a lost event."""

from __future__ import annotations

from collections.abc import Iterator

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
# Numbers a row: each partition sees a part of a till's receipts, so its ranges never grow together.
# In one row they would be more with every receipt, and each batch would write all of them again.
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
def receipt_seen(event: PurchaseCompleted) -> Iterator[Row]:
    """The receipt number of an event; a dead letter's receipt counts as arrived."""
    producer = event.meta.producer
    if producer.terminal_sequence is not None and producer.terminal_id is not None:
        yield receipts(
            system=producer.system,
            store_id=producer.store_id or "",
            terminal_id=producer.terminal_id,
            epoch=producer.terminal_epoch,
            block=producer.terminal_sequence // BLOCK,
            seen=producer.terminal_sequence,
        )
