"""Recomputes each record's verdict (applied, duplicate, conflict, dead letter) and its ledger rows.

In a partition the first record of an event id that can be applied is applied; later records of that
id are duplicates or conflicts. Two things are taken from the live group and only checked for
plausibility: which of several partitions applied an id, and which records Postgres could not store
(dead letters).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from projections.core.redis_rows import shown
from projections.core.tables import Ledger, StoredTable
from schemas.wire import codec
from services.runtime.record_at import RecordReader, same_as_first
from services.verify.columns import ColumnOrder
from services.verify.documents import Asked, DocumentJudge
from services.verify.log import LogRecord, Place
from services.verify.model import Appended, HandlerRefused, TableModel
from services.verify.record import DecodedRecord, decode
from services.verify.report import Difference, VerifyReport
from services.verify.snapshot import AppliedRecord, VerifySnapshot

ENGINE, VERDICT = "engine", "verdict"
BURIED = ("apply", "store")
# ledgers have no index by event id: each query is a sequential scan
COMPARED_AT_ONCE = 50_000
Letter = tuple[str, bytes | None, bytes | None]


class LogJudge:
    """Folds the log into a model; compares verdicts and ledger rows while it reads."""

    def __init__(
        self,
        snapshot: VerifySnapshot,
        model: TableModel,
        report: VerifyReport,
        placed: RecordReader | None = None,
    ) -> None:
        """`placed`: reads an applied record from Kafka again, to compare it with a resend whose
        hash differs; None: such a resend counts as a conflict.
        """
        self.snapshot, self.model, self.report = snapshot, model, report
        self._placed = placed
        self.counts: dict[Place, Counter[str]] = {}
        self.letters: dict[tuple[Place, int], Letter] = {}
        # records that should have been applied and were not; `unknown`: how many of their ids the
        # event ledger does not have at all
        self.missing: dict[bytes, AppliedRecord] = {}
        self.unknown = 0
        self.seen: Counter[StoredTable] = Counter()
        self.absent: Counter[StoredTable] = Counter()
        self.shapes = {t: ColumnOrder(t) for t in model.tables}
        self.documents = DocumentJudge(snapshot, report, placed)
        self._elsewhere: list[tuple[DecodedRecord, AppliedRecord]] = []
        self._appended: list[Appended] = []
        self._doubtful: list[tuple[StoredTable, tuple[Any, ...], list[Any], Any]] = []

    def take(self, place: Place, records: list[LogRecord]) -> None:
        """Judges consecutive records of one partition."""
        read = [decode(place, record) for record in records]
        ids = [one.event_id for one in read if one.event_id is not None]
        ledger, asked = self.snapshot.ledger(ids), self.documents.ask(read)
        source = self.snapshot.topics[place[0]] * 10_000 + place[1]
        for one in read:
            verdict = self._verdict(one, ledger, asked, source)
            if verdict is not None:
                self._note(one, verdict)
        if len(self._appended) >= COMPARED_AT_ONCE:
            self._compare()

    def finish(self) -> None:
        """Judges and compares what depends on the whole log: ids applied in other partitions, rows
        that follow from sets of documents, and erasures.
        """
        self._judge_elsewhere()
        self._appended += self.model.follow()
        self._compare()
        for table, key, values, found in self._doubtful:
            expected = self._expected(table, key, values)
            if found != expected:
                self._differs(table, key, expected, found)
        for table in self.model.tables:
            if isinstance(table, Ledger) and table.subject and self.model.erased:
                shape = self.shapes[table]
                for row in self.snapshot.unforgotten(shape, self.model.erased):
                    self._differs(table, row[: shape.keys], None, row)

    def _note(self, one: DecodedRecord, verdict: str) -> None:
        self.counts.setdefault(one.place, Counter())[verdict] += 1
        if verdict in ("conflict", "dead_letter"):
            stage = "conflict" if verdict == "conflict" else self._stage(one)
            record = one.record
            self.letters[one.place, record.offset] = (stage, record.key, record.value)

    def _verdict(
        self, one: DecodedRecord, ledger: dict[bytes, AppliedRecord], asked: Asked, source: int
    ) -> str | None:
        """The verdict; None if it depends on another partition and is decided in `finish`.

        Adds a difference to the report if the live group judged the record otherwise.
        """
        if one.event is None or one.event_id is None:
            return "dead_letter"
        here = AppliedRecord(one.hash, one.schema_id, one.place, one.record.offset)
        live = ledger.get(one.event_id)
        held = self.missing.get(one.event_id) or live
        is_here = held is not None and (held.place, held.offset) == (here.place, here.offset)
        if held is not None and not is_here:
            if self._buried(one):
                return "dead_letter"
            if held.place != here.place:
                one.event = None
                self._elsewhere.append((one, held))
                return None
            if held.offset < here.offset:
                return self._again(one, held, live)
        elif held is None and self._buried(one):
            return "dead_letter"
        again = self._document_again(one, asked, held)
        if again is not None:
            return again
        # no earlier record of its partition has this id or document: it is applied if it can be
        try:
            listed = self.snapshot.left_out.get((one.place, one.record.offset))
            without = self.model.refusing(one.event, listed) if listed else ()
            rows = self.model.handler_rows(one.event, without)
            self._appended += self.model.take(one.event, source, rows, without)
        except HandlerRefused:
            if is_here:
                self._ledger(one, None, held)
            return "dead_letter"
        self.documents.applied(one, asked, held)
        if held == here:
            return "applied"
        self.missing[one.event_id] = here
        self.unknown += held is None
        if is_here or (held is None and self._letter(one) is None):
            self._ledger(one, here, held)
        else:
            self._wrong(one, "applied", self._said_of(one))
        return "applied"

    def _document_again(
        self, one: DecodedRecord, asked: Asked, held: AppliedRecord | None
    ) -> str | None:
        """The verdict of a record whose document was reported before; None if it was not."""
        if held is None and (copy := self.documents.copied_before(one, asked)) is not None:
            return _resent(one, copy, self._placed)
        verdict = self.documents.verdict(one, asked, held is not None)
        if verdict is not None and held is not None:
            self._ledger(one, None, held)
        return verdict

    def _again(self, one: DecodedRecord, held: AppliedRecord, live: AppliedRecord | None) -> str:
        """Duplicate or conflict: the verdict on a record whose id was applied at another record.

        Adds a difference if the live group applied the id at a wrong record and judged this record
        otherwise.
        """
        verdict = _resent(one, held, self._placed)
        if live is not None and live != held and held is self.missing.get(one.event_id or b""):
            is_live = (live.place, live.offset) == (one.place, one.record.offset)
            said = "applied" if is_live else self._said_of(one)
            if said != verdict:
                self._wrong(one, verdict, said)
        return verdict

    def _judge_elsewhere(self) -> None:
        """Judges records of ids that were applied in another partition; needs the whole log."""
        for one, live in self._elsewhere:
            held = self.missing.get(one.event_id or b"") or live
            self._note(one, self._again(one, held, live))
        self._elsewhere = []

    def _said_of(self, one: DecodedRecord) -> str:
        """The live group's verdict on a record that it did not apply, from its dead letters."""
        letter = self._letter(one)
        if letter is None:
            return "duplicate"
        return "conflict" if letter[0] == "conflict" else "dead_letter"

    def _wrong(self, one: DecodedRecord, expected: str, found: str) -> None:
        key = (f"{one.place[0]}-{one.place[1]}@{one.record.offset}", shown("uuid", one.event_id))
        self.report.add(Difference(ENGINE, VERDICT, key, expected, found))

    def _letter(self, one: DecodedRecord) -> Letter | None:
        return self.snapshot.letters.get((one.place, one.record.offset))

    def _buried(self, one: DecodedRecord) -> bool:
        letter = self._letter(one)
        if letter is None or letter[0] != "decode":
            return letter is not None and letter[0] in BURIED
        # it was undecodable once and is readable now: a dead letter only if retried or dropped
        return (one.place, one.record.offset) in self.snapshot.resolved

    def _stage(self, one: DecodedRecord) -> str:
        letter = self._letter(one)
        if one.event is None:
            return "decode"
        return letter[0] if letter is not None and self._buried(one) else "apply"

    def _ledger(
        self, one: DecodedRecord, expected: AppliedRecord | None, found: AppliedRecord | None
    ) -> None:
        assert one.event_id is not None
        key = (shown("uuid", one.event_id),)
        self.report.add(Difference(ENGINE, "ledger", key, _said(expected), _said(found)))

    def _compare(self) -> None:
        appended, self._appended = self._appended, []
        by_table: dict[StoredTable, list[tuple[tuple[bytes, int], list[Any]]]] = {}
        for table, key, values in appended:
            if table in self.shapes:
                by_table.setdefault(table, []).append((key, values))
        for table, rows in by_table.items():
            found = self.snapshot.of_events(self.shapes[table], {key[0] for key, _ in rows})
            self.seen[table] += len(rows)
            for key, values in rows:
                actual = found.get(key)
                if actual == self._expected(table, key, values):
                    continue
                self.absent[table] += actual is None
                if table.subject and actual is not None:
                    # who is erased later on in the log is not known yet
                    self._doubtful.append((table, key, values, actual))
                else:
                    self._differs(table, key, self._expected(table, key, values), actual)

    def _expected(
        self, table: StoredTable, key: tuple[Any, ...], values: list[Any]
    ) -> tuple[Any, ...]:
        subject = table.subject
        if subject and values[table.values.index(subject)] in self.model.erased:
            values = [
                None if name in table.personal else value
                for name, value in zip(table.values, values, strict=True)
            ]
        return (*key, *values)

    def _differs(self, table: StoredTable, key: tuple[Any, ...], expected: Any, found: Any) -> None:
        self.report.add(self.shapes[table].difference(key, expected, found))


def _resent(one: DecodedRecord, held: AppliedRecord, placed: RecordReader | None) -> str:
    if (one.hash, one.schema_id) == (held.hash, held.schema_id):
        return "duplicate"
    value = one.record.value
    assert value is not None
    if codec.same_event(value, held.schema_id, held.hash):
        return "duplicate"
    first = (*held.place, held.offset)
    again = placed is not None and same_as_first(value, placed, first)
    return "duplicate" if again else "conflict"


def _said(applied: AppliedRecord | None) -> dict[str, Any] | None:
    if applied is None:
        return None
    topic, partition = applied.place
    return {
        "record": f"{topic}-{partition}@{applied.offset}",
        "hash": applied.hash,
        "schema_id": applied.schema_id,
    }
