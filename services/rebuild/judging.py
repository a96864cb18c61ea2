"""What becomes of each record? Judged anew, in the order of its partition.

The first record of an id that can be applied is applied; what comes after it is a resend or a
conflict. Two things are taken from the live group: in which of two partitions an id was applied,
and which records stay put aside (Postgres could not hold them, or a person decided about them).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from projections.core.fold import Group, HandlerFailed
from schemas import codec
from services.projector.apply import failure_of, letter_row
from services.projector.batch import Entry, Failure, Seen, Slice, Verdict
from services.rebuild.books import Judged
from services.runtime.arrays import columns
from services.runtime.db import conninfo
from services.verify.columns import quoted

# of events that the live group applied at this very place, and nothing was heard of before, there
# is nothing to tell
HELD = """
select x.n, l.topic, l.partition, mine.hash, mine.schema_id, f.event_id is not null
from unnest(%s::uuid[], %s::smallint[], %s::int[], %s::bigint[]) with ordinality
    as x(id, topic, partition, at, n)
left join {live}.ledger l on l.event_id = x.id
left join ledger mine on mine.event_id = x.id
left join freed f on f.event_id = x.id
where mine.event_id is not null
    or (l.topic, l.partition, l."offset") is distinct from (x.topic, x.partition, x.at)
"""
ASIDE = """
select d.topic, d.partition, d."offset", d.stage, d.error_class, d.reason
from unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[]) as x(topic, partition, first, ending)
join dead_letter d on d.topic = x.topic and d.partition = x.partition
    and d."offset" >= x.first and d."offset" < x.ending
where %s = any(d.grps) and (d.stage = 'store' or d.status <> 'open' and d.stage <> 'conflict')
"""
_ASKED, _RANGES = ("uuid", "smallint", "int", "bigint"), ("text", "int", "bigint", "bigint")
CONFLICT = Entry(None, verdict=Verdict.CONFLICT)  # type: ignore[arg-type]
At = tuple[str, int, int]


class Judging:
    """Gives verdicts by what the shadow has applied so far; stores nothing."""

    def __init__(self, dsn: str, live: str, group: Group, topics: Mapping[str, int]) -> None:
        info = conninfo(dsn, group=group.name, name="hitotsu-rebuild")
        self._connection: psycopg.Connection[TupleRow] = psycopg.connect(info, autocommit=True)
        # a few ids in ledgers of millions: each by its key, whatever the planner thinks
        self._connection.execute("set enable_hashjoin = off; set enable_mergejoin = off")
        self._live, self._group, self._topics = live, group, topics
        self._held = HELD.format(live=quoted(live)).encode()

    def close(self) -> None:
        """Lets go of the connection."""
        self._connection.close()

    def judge(self, slices: list[Slice]) -> Judged:
        """Judges and folds records that follow what is stored, each partition in its order."""
        judged = Judged()
        held, aside = self._asked(slices), self._aside(slices)
        applied: dict[bytes, Seen] = {}
        number = 0
        for one in slices:
            place = (one.topic, one.partition)
            counts = judged.counts.setdefault(place, Counter())
            judged.ends[place] = one.end
            for entry in one.entries:
                known: Any = None
                if entry.failure is None:
                    number += 1
                    known = held.get(number)
                verdict = self._judge(one, entry, known, applied, aside, judged)
                if verdict is not None:
                    counts[verdict] += 1
        return judged

    def _judge(
        self,
        one: Slice,
        entry: Entry,
        known: Any,
        applied: dict[bytes, Seen],
        aside: dict[At, Failure],
        judged: Judged,
    ) -> Verdict | None:
        """None where the verdict has to wait for another partition."""
        event_id, failure = entry.event_id, entry.failure
        if failure is None and event_id is not None:
            before = applied.get(event_id) or (known and known[2] is not None and known[2:4])
            if before:
                entry.verdict = _resent(entry, before)
                if entry.verdict is Verdict.CONFLICT:
                    self._put_aside(one, entry, failure_of(entry), judged.letters)
                return entry.verdict
            failure = aside.get((one.topic, one.partition, entry.record.offset))
            if failure is None and self._is_elsewhere(one, known):
                row = letter_row(one, entry, _conflict(), self._live)
                judged.deferred.append([*row[:-1], entry.hash, entry.schema_id])
                entry.verdict = Verdict.DUPLICATE  # or a conflict: it is applied in no case
                return None
            failure = failure or self._taken(one, entry, judged)
        entry.verdict = Verdict.APPLIED if failure is None else Verdict.DEAD
        if failure is not None:
            self._put_aside(one, entry, failure, judged.letters)
        elif event_id is not None:
            applied[event_id] = (entry.hash, entry.schema_id)
        return entry.verdict

    def _taken(self, one: Slice, entry: Entry, judged: Judged) -> Failure | None:
        """Folds the event; or says which projection refuses it."""
        number = self._topics[one.topic]
        source, event_id = number * 10_000 + one.partition, entry.event_id
        assert event_id is not None
        try:
            self._group.take(entry.read(), event_id, source, judged.folded)
        except HandlerFailed as error:
            return refusal(error)
        finally:
            entry.event = None
        at = (number, one.partition, entry.record.offset)
        judged.ledger.append((event_id, entry.hash, entry.schema_id, *at))
        return None

    def _is_elsewhere(self, one: Slice, known: Any) -> bool:
        """Whether the live group applied the id in another partition."""
        if known is None or known[0] is None or known[4]:
            return False
        return tuple(known[:2]) != (self._topics[one.topic], one.partition)

    def _put_aside(
        self, one: Slice, entry: Entry, failure: Failure | None, letters: list[list[Any]]
    ) -> None:
        assert failure is not None
        letters.append(letter_row(one, entry, failure, self._live)[:-1])

    def _asked(self, slices: list[Slice]) -> dict[int, Any]:
        """By its number among those that can be read: what is known of a record's id."""
        rows = [
            (entry.event_id, self._topics[one.topic], one.partition, entry.record.offset)
            for one in slices
            for entry in one.entries
            if entry.failure is None
        ]
        if not rows:
            return {}
        found = self._connection.execute(self._held, columns(_ASKED, rows)).fetchall()
        return {row[0]: row[1:] for row in found}

    def _aside(self, slices: list[Slice]) -> dict[At, Failure]:
        ranges = [(one.topic, one.partition, one.first, one.end) for one in slices]
        rows = self._connection.execute(ASIDE, [*columns(_RANGES, ranges), self._live])
        return {(row[0], row[1], row[2]): Failure(*row[3:]) for row in rows.fetchall()}


def refusal(error: HandlerFailed) -> Failure:
    """Why an event that a projection refuses is put aside."""
    return Failure("apply", type(error.__cause__).__name__, str(error))


def _conflict() -> Failure:
    failure = failure_of(CONFLICT)
    assert failure is not None
    return failure


def _resent(entry: Entry, before: Seen) -> Verdict:
    value, (hash_, schema_id) = entry.record.value, before
    assert value is not None
    if before == (entry.hash, entry.schema_id) or codec.same_event(value, schema_id, hash_):
        return Verdict.DUPLICATE
    return Verdict.CONFLICT
