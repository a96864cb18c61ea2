"""What people decided about documents that do not fit, among the documents of a sale or an order.

A discrepancy has two sides: the document that does not fit, and everything else that is known of
its subject. A decision says which side is right; then the other side moves. It is a document of the
subject's set like any other: it may arrive before what it is about, and what follows from it is a
function of the set. Of several decisions about one discrepancy the latest counts, at the same time
that of the greater word. Pure.
"""

from __future__ import annotations

from hashlib import md5
from typing import NamedTuple
from uuid import UUID

from projections.core.documents import Document, Documents
from schemas.generated.events import DiscrepancySettled
from schemas.measures import location_and_unit

SETTLED = "settled"
DOCUMENT_RIGHT, DOCUMENT_WRONG = "DOCUMENT_RIGHT", "DOCUMENT_WRONG"


class Decision(NamedTuple):
    """A decision about a discrepancy; `document`: its own id. Decisions sort by time."""

    at: int
    resolution: str
    document: str


class Decisions:
    """The decisions among the documents of a set."""

    def __init__(self, documents: Documents) -> None:
        self._latest: dict[tuple[str, str, str | None], Decision] = {}
        for name, document in documents.items():
            if document[0] == SETTLED:
                _, at, kind, about, resolution, location = document
                if resolution in (DOCUMENT_RIGHT, DOCUMENT_WRONG):
                    made, key = Decision(at, resolution, name), (kind, about, location)
                    self._latest[key] = max(self._latest.get(key, made), made)

    def about(self, kind: str, document: str, sku: str, location: str) -> Decision | None:
        """The decision about what a document says of an item at a location; None while nobody
        decided. Who names a location decides about it alone: a sender may be limited to it.
        `location`: of what is measured a place (`schemas.measures`).
        """
        if not self._latest:
            return None
        name = discrepancy_id(kind, document, sku, location)
        at, _ = location_and_unit(location)
        made = (self._latest.get((kind, name, place)) for place in (None, at))
        return max(filter(None, made), default=None)

    def resolution(self, kind: str, document: str, sku: str, location: str) -> str | None:
        """The code of that decision."""
        decision = self.about(kind, document, sku, location)
        return None if decision is None else decision.resolution


def of_settlement(event: DiscrepancySettled) -> Document:
    """[kind, at, discrepancy's kind, discrepancy id, resolution, location or null]."""
    return [
        SETTLED, event.meta.occurred_at, event.kind, event.discrepancy_id.hex(), event.resolution,
        event.location_id,
    ]  # fmt: skip


def discrepancy_id(kind: str, document: str, sku: str, location: str) -> str:
    """The id of a discrepancy, 32 hex digits: as the SQL of the lists computes it.

    `document`: the id of the event that does not fit, 32 hex digits.
    """
    text = f"{kind}|{UUID(document)}|{sku}|{location}"
    return md5(text.encode(), usedforsecurity=False).hexdigest()
