"""The kinds of discrepancies, and how people can settle each.

A document that does not fit its subject has two sides: the document, and everything else that is
known of the subject. A decision says which is right (`DOCUMENT_RIGHT`, `DOCUMENT_WRONG`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

DOCUMENT_RIGHT, DOCUMENT_WRONG = "DOCUMENT_RIGHT", "DOCUMENT_WRONG"
BOTH = (DOCUMENT_RIGHT, DOCUMENT_WRONG)
Resolution = Literal["DOCUMENT_RIGHT", "DOCUMENT_WRONG"]
KindName = Literal[
    "over_return", "unknown_sale", "unknown_line", "second_claim", "shipped_unordered",
    "released_after_end", "doubled_document", "over_received", "misrouted", "negative_stock",
    "shortage", "clock", "owner_differs", "sums", "numbering", "unknown_item",
    "unknown_location", "barcode_twice",
]  # fmt: skip


class Kind(NamedTuple):
    """`resolutions`: what people can decide; none where only facts end it.

    `subject`: whether it is about a sale, an order, a transfer or a delivery.
    """

    resolutions: tuple[str, ...] = ()
    subject: bool = False


KINDS: Mapping[str, Kind] = {
    "over_return": Kind(BOTH, subject=True),
    "unknown_sale": Kind(BOTH, subject=True),
    "unknown_line": Kind(BOTH, subject=True),
    "shipped_unordered": Kind(BOTH, subject=True),
    "released_after_end": Kind(BOTH, subject=True),
    "doubled_document": Kind(BOTH, subject=True),
    "over_received": Kind(BOTH, subject=True),
    "misrouted": Kind(BOTH, subject=True),
    # the first claim in the log keeps the sale, whatever people decide
    "second_claim": Kind((DOCUMENT_WRONG,), subject=True),
    # the first record of a sale stands; a guest's sale can be claimed
    "owner_differs": Kind((DOCUMENT_WRONG,), subject=True),
    # the receipt stands as it was printed; an amendment says it anew
    "sums": Kind((DOCUMENT_RIGHT,), subject=True),
    # open again when an event arrives by a wrong clock after the decision
    "clock": Kind((DOCUMENT_WRONG,)),
    # the latest declaration has the barcode, whatever people decide
    "barcode_twice": Kind((DOCUMENT_WRONG,)),
    # end when the item or the location is described
    "unknown_item": Kind(),
    "unknown_location": Kind(),
    # the till began to number anew; open again when the hole changes
    "numbering": Kind((DOCUMENT_RIGHT,)),
    # last as long as the numbers say so: a count, a receipt or a shipment ends them
    "negative_stock": Kind(),
    "shortage": Kind(),
}
