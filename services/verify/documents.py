"""Recomputes which records tell a document again, and compares them with the live group's.

The live ledger says which record told a document first; that is only checked for plausibility: in
one partition no applicable record may tell it earlier. Sales below a checkpoint's `documents_from`
were applied before documents were known: of those, several may have told one.
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
    """What the live group says of some records: by document, and by event id."""

    owners: dict[bytes, DocumentOwner]
    copies: dict[bytes, CopyRecord]


class DocumentJudge:
    """Judges records by the documents that they tell."""

    def __init__(
        self, snapshot: VerifySnapshot, report: VerifyReport, placed: RecordReader | None
    ) -> None:
        self._snapshot, self._report, self._placed = snapshot, report, placed
        # documents whose first record is another than the live ledger says
        self._first: dict[bytes, DocumentOwner] = {}
        self._contents: dict[bytes, int | None] = {}
        self.copies: Counter[Place] = Counter()

    def ask(self, read: Iterable[DecodedRecord]) -> Asked:
        """What the live group says of these records."""
        documents = {one.document[0] for one in read if one.document is not None}
        ids = {one.event_id for one in read if one.event_id is not None}
        return Asked(self._snapshot.documents(documents), self._snapshot.copies(ids))

    def copied_before(self, one: DecodedRecord, asked: Asked) -> AppliedRecord | None:
        """The copy of a document that has this record's id, if it is another record before it."""
        copy = asked.copies.get(one.event_id or b"")
        if copy is None or (copy.place == one.place and copy.offset >= one.record.offset):
            return None
        return AppliedRecord(copy.hash, copy.schema_id, copy.place, copy.offset)

    def verdict(self, one: DecodedRecord, asked: Asked, is_applied: bool) -> str | None:
        """Duplicate or conflict; None when the record is the first that tells its document, or
        tells none.
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
        """Checks the document of a record that is to be applied. `held`: the live ledger's."""
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
        """Compares the number of copies by partition."""
        stored = self._snapshot.copies_size()
        for place in places:
            if self.copies[place] != stored.get(place, 0):
                key = (f"{place[0]}-{place[1]}",)
                found = stored.get(place, 0)
                rows = f"{TABLE} rows"
                self._report.add(Difference(ENGINE, rows, key, self.copies[place], found))

    def _owner(self, one: DecodedRecord, asked: Asked) -> DocumentOwner | None:
        """Another record that told the document, as far as one is known."""
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
        expected = CopyRecord(one.hash, one.schema_id, one.place, one.record.offset, owner.event_id)
        if found != expected:
            self._differs(TABLE, one, expected.plain(), found and found.plain())

    def _differs(self, table: str, one: DecodedRecord, expected: Any, found: Any) -> None:
        key = (shown("uuid", one.event_id),)
        self._report.add(Difference(ENGINE, table, key, expected, found))


def _said(document: bytes | None, content: int | None) -> dict[str, Any]:
    return {"document": shown("uuid", document) if document else None, "content": content}
