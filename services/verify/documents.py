"""Recomputes which records are copies: they report a document that another event has reported.

Which record reported a document first is taken from the live ledger and only checked for
plausibility: in its partition no earlier record that can be applied may report it. Sales before a
checkpoint's `documents_from` were applied by a release that did not know documents: several of them
may have reported the same document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from projections.core.redis_rows import shown
from schemas.wire import codec
from schemas.wire.documents import document_of
from services.runtime.record_at import RecordReader
from services.verify.log import Place
from services.verify.record import DecodedRecord
from services.verify.report import Difference, VerifyReport
from services.verify.snapshot import AppliedRecord, CopyRecord, DocumentOwner, VerifySnapshot

ENGINE, TABLE = "engine", "duplicate_document"


@dataclass(frozen=True, slots=True)
class Asked:
    """The live group's rows for some records: first records by document, copies by event id."""

    owners: dict[bytes, DocumentOwner]
    copies: dict[bytes, CopyRecord]


class DocumentJudge:
    """Judges records by the documents that they report; adds differences to the report.

    `placed`: reads first records from Kafka; None: an unknown content differs from every other.
    """

    def __init__(
        self, snapshot: VerifySnapshot, report: VerifyReport, placed: RecordReader | None
    ) -> None:
        self._snapshot, self._report, self._placed = snapshot, report, placed
        # by document: its first record, where that is another one than in the live ledger
        self._first: dict[bytes, DocumentOwner] = {}
        self._contents: dict[bytes, int | None] = {}
        self.copies: Counter[Place] = Counter()

    def ask(self, read: Iterable[DecodedRecord]) -> Asked:
        """The live group's rows about the documents and event ids of these records."""
        documents = {one.document[0] for one in read if one.document is not None}
        ids = {one.event_id for one in read if one.event_id is not None}
        return Asked(self._snapshot.documents(documents), self._snapshot.copies(ids))

    def copied_before(self, one: DecodedRecord, asked: Asked) -> AppliedRecord | None:
        """The record that the live group stored as a copy under this record's event id; None if
        there is none, or it is this record or a later one.
        """
        copy = asked.copies.get(one.event_id or b"")
        if copy is None or (copy.place == one.place and copy.offset >= one.record.offset):
            return None
        return AppliedRecord(copy.hash, copy.schema_id, copy.place, copy.offset)

    def verdict(self, one: DecodedRecord, asked: Asked, is_applied: bool) -> str | None:
        """Duplicate or conflict; None if the record reports no document, or is the first to report
        its document.
        """
        owner = self._owner(one, asked)
        if owner is None or one.document is None:
            return None
        if owner.place == one.place and owner.offset > one.record.offset:
            return None
        if is_applied and self._is_old(one):
            return None
        if self._content(one.document[0], owner) != one.document[1]:
            return "conflict"
        self.copies[one.place] += 1
        self._compare(one, owner, asked.copies.get(one.event_id or b""))
        return "duplicate"

    def applied(self, one: DecodedRecord, asked: Asked, held: AppliedRecord | None) -> None:
        """Compares the document of an applied record with the live ledger's row `held`."""
        wrong = held is None or self._owner(one, asked) is not None
        if one.document is not None and wrong and not self._is_old(one):
            here = one.event_id or b"", one.document[1], one.place, one.record.offset
            self._first[one.document[0]] = DocumentOwner(*here)
        if held is None or (held.document is None and self._is_old(one)):
            return
        key, content = one.document or (None, None)
        may_lack = held.content is None and self._is_old(one)
        if held.document != key or (held.content != content and not may_lack):
            self._differs("ledger", one, _said(key, content), _said(held.document, held.content))

    def finish(self, places: Iterable[Place]) -> None:
        """Compares the number of copies with the live group's, by partition."""
        stored = self._snapshot.copies_size()
        for place in places:
            if self.copies[place] != stored.get(place, 0):
                key = (f"{place[0]}-{place[1]}",)
                found = stored.get(place, 0)
                rows = f"{TABLE} rows"
                self._report.add(Difference(ENGINE, rows, key, self.copies[place], found))

    def _owner(self, one: DecodedRecord, asked: Asked) -> DocumentOwner | None:
        """The first record that reported the document, if that is another event; else None."""
        if one.document is None:
            return None
        owner = self._first.get(one.document[0]) or asked.owners.get(one.document[0])
        return None if owner is None or owner.event_id == one.event_id else owner

    def _is_old(self, one: DecodedRecord) -> bool:
        return one.record.offset < self._snapshot.documents_from.get(one.place, 0)

    def _content(self, document: bytes, owner: DocumentOwner) -> int | None:
        if owner.content is not None or self._placed is None:
            return owner.content
        if document not in self._contents:
            value = self._placed.value(*owner.place, owner.offset)
            told = None if value is None else document_of(codec.decode(value))
            self._contents[document] = None if told is None else told[1]
        return self._contents[document]

    def _compare(self, one: DecodedRecord, owner: DocumentOwner, found: CopyRecord | None) -> None:
        assert one.event_id is not None
        expected = CopyRecord(
            one.hash, one.schema_id, one.place, one.record.offset, owner.event_id,
            getattr(one.event, "profile_id", None),
        )  # fmt: skip
        if found != expected:
            self._differs(TABLE, one, expected.plain(), found and found.plain())

    def _differs(self, table: str, one: DecodedRecord, expected: Any, found: Any) -> None:
        key = (shown("uuid", one.event_id),)
        self._report.add(Difference(ENGINE, table, key, expected, found))


def _said(document: bytes | None, content: int | None) -> dict[str, Any]:
    return {"document": shown("uuid", document) if document else None, "content": content}
