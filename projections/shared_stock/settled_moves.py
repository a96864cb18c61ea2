"""What moves because people decided about documents that do not fit an order? Pure.

The document is wrong: what it moved is undone. The document is right: what the rest of the order
had moved, or kept from moving, is put right. Units move at the time of the document and not of the
decision, because a count in between saw the shelf as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from projections.purchases.settlements import DOCUMENT_RIGHT, DOCUMENT_WRONG
from projections.shared_stock.moves import Misfit, Move


def settled_moves(misfits: Iterable[Misfit], gone: int) -> Iterator[tuple[str, Move]]:
    """Moves of decided discrepancies of one item of an order. `gone`: units that had left for it.

    Shipped beyond the order, and wrong: the units never left. Released after the end, and right:
    units that were told to have left did not. Rung up a second time, and right: it was a sale of
    its own, so its units left as well.
    """
    for misfit in misfits:
        units = 0
        if (misfit.kind, misfit.resolution) == ("shipped_unordered", DOCUMENT_WRONG):
            units = misfit.quantity
            gone -= units
        elif (misfit.kind, misfit.resolution) == ("released_after_end", DOCUMENT_RIGHT):
            units = max(0, min(misfit.quantity, gone))
            gone -= units
        elif (misfit.kind, misfit.resolution) == ("doubled_document", DOCUMENT_RIGHT):
            units = -misfit.quantity
        if units:
            yield misfit.document, Move(misfit.sku, misfit.location, misfit.at, units)
