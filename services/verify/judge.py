"""What must have become of each record? Its verdict, and its rows in the ledgers, batch by batch.

A verdict follows from the record itself and from which record of its id was applied. That choice
is the live group's where partitions meet, and a decision to bury what could not be stored is its
own too; both are checked for being possible, everything else is judged anew.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from projections.core.tables import Kept, Ledger
from schemas import codec
from services.verify.columns import Shape, shown
from services.verify.log import Place, Record
from services.verify.model import Appended, Model, Refused
from services.verify.opened import Opened, opened
from services.verify.report import Difference, Report
from services.verify.snapshot import Applied, Snapshot

ENGINE = "engine"
BURIED = ("apply", "store")
# a ledger has no index by event: each question reads all of it
COMPARED_AT_ONCE = 50_000
Letter = tuple[str, bytes | None, bytes | None]


class Judge:
    """Folds the log into a model, comparing what belongs to single events on the way."""

    def __init__(self, snapshot: Snapshot, model: Model, report: Report) -> None:
        self.snapshot, self.model, self.report = snapshot, model, report
        self.counts: dict[Place, Counter[str]] = {}
        self.letters: dict[tuple[Place, int], Letter] = {}
        self.missing: dict[bytes, Applied] = {}
        self.seen: Counter[Kept] = Counter()
        self.absent: Counter[Kept] = Counter()
        self.shapes = {t: Shape(t) for t in model.tables}
        self._appended: list[Appended] = []
        self._doubtful: list[tuple[Kept, tuple[Any, ...], list[Any], Any]] = []

    def take(self, place: Place, records: list[Record]) -> None:
        """Consecutive records of one partition."""
        read = [opened(place, record) for record in records]
        ids = [one.event_id for one in read if one.event_id is not None]
        ledger = self.snapshot.ledger(ids)
        source = self.snapshot.topics[place[0]] * 10_000 + place[1]
        counts = self.counts.setdefault(place, Counter())
        for one in read:
            verdict = self._verdict(one, ledger, source)
            counts[verdict] += 1
            if verdict in ("conflict", "dead_letter"):
                stage = "conflict" if verdict == "conflict" else self._stage(one)
                record = one.record
                self.letters[place, record.offset] = (stage, record.key, record.value)
        if len(self._appended) >= COMPARED_AT_ONCE:
            self._compare()

    def finish(self) -> None:
        """What is left to compare, and what could only be told once every erasure was read."""
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

    def _verdict(self, one: Opened, ledger: dict[bytes, Applied], source: int) -> str:
        if one.event is None or one.event_id is None:
            return "dead_letter"
        here = Applied(one.hash, one.schema_id, one.place, one.record.offset)
        held = ledger.get(one.event_id) or self.missing.get(one.event_id)
        if held is not None and (held.place, held.offset) != (here.place, here.offset):
            if self._buried(one):
                return "dead_letter"
            if held.place == here.place and held.offset > here.offset:
                self._ledger(one, here, held)
            return _resent(one, held)
        if held is None and self._buried(one):
            return "dead_letter"
        try:
            self._appended += self.model.take(one.event, source, self.model.said(one.event))
        except Refused:
            if held is not None:
                self._ledger(one, None, held)
            return "dead_letter"
        if held != here:
            self._ledger(one, here, held)
            self.missing[one.event_id] = here
        return "applied"

    def _buried(self, one: Opened) -> bool:
        letter = self.snapshot.letters.get((one.place, one.record.offset))
        return letter is not None and letter[0] in BURIED

    def _stage(self, one: Opened) -> str:
        letter = self.snapshot.letters.get((one.place, one.record.offset))
        if one.event is None:
            return "decode"
        return letter[0] if letter is not None and letter[0] in BURIED else "apply"

    def _ledger(self, one: Opened, expected: Applied | None, found: Applied | None) -> None:
        assert one.event_id is not None
        key = (shown("uuid", one.event_id),)
        self.report.add(Difference(ENGINE, "ledger", key, _said(expected), _said(found)))

    def _compare(self) -> None:
        appended, self._appended = self._appended, []
        by_table: dict[Kept, list[tuple[tuple[bytes, int], list[Any]]]] = {}
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

    def _expected(self, table: Kept, key: tuple[Any, ...], values: list[Any]) -> tuple[Any, ...]:
        subject = table.subject
        if subject and values[table.values.index(subject)] in self.model.erased:
            values = [
                None if name in table.personal else value
                for name, value in zip(table.values, values, strict=True)
            ]
        return (*key, *values)

    def _differs(self, table: Kept, key: tuple[Any, ...], expected: Any, found: Any) -> None:
        self.report.add(self.shapes[table].difference(key, expected, found))


def _resent(one: Opened, held: Applied) -> str:
    if (one.hash, one.schema_id) == (held.hash, held.schema_id):
        return "duplicate"
    value = one.record.value
    assert value is not None
    return "duplicate" if codec.same_event(value, held.schema_id, held.hash) else "conflict"


def _said(applied: Applied | None) -> dict[str, Any] | None:
    if applied is None:
        return None
    topic, partition = applied.place
    return {
        "record": f"{topic}-{partition}@{applied.offset}",
        "hash": applied.hash,
        "schema_id": applied.schema_id,
    }
