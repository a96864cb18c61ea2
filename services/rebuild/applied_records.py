"""Tells which records the live group applied, from its event ledger.

The ledger has the offset of every applied event. One ordered pass over it gives the offsets that
were not applied: resends, conflicts, dead letters. Records appended after that pass are looked up
in the ledger by event id.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

import psycopg
from psycopg.rows import TupleRow

from projections.core.sql import quoted
from services.verify.log import Place

ENDS = """
select c.topic, t.no, c.partition, c.next_offset
from hitotsu.checkpoint c join hitotsu.topic t on t.name = c.topic where c.grp = %s
"""
# consecutive offsets have the same difference to their row number: each such run is an island
ISLANDS = """
select topic, partition, min("offset"), max("offset") + 1 from (
    select topic, partition, "offset",
        "offset" - row_number() over (partition by topic, partition order by "offset") as island
    from {ledger} where topic = any(%s::smallint[])
) o group by topic, partition, island order by 1, 2, 3
"""
NOT_APPLIED = """
select x.n from unnest(%s::uuid[], %s::bigint[]) with ordinality as x(id, at, n)
left join {ledger} l
    on l.event_id = x.id and l.topic = %s and l.partition = %s and l."offset" = x.at
where l.event_id is null
"""
ROWS = 20_000
Connection = psycopg.Connection[TupleRow]


class UnappliedRanges:
    """Offset ranges of one partition that were not applied, between `start` and `known_to`."""

    __slots__ = ("_begins", "_ends", "_next", "known_to")

    def __init__(self, start: int, known_to: int) -> None:
        self.known_to, self._next = known_to, start
        self._begins, self._ends = array("q"), array("q")

    def applied(self, first: int, end: int) -> None:
        """Adds an applied range, `first` up to but not including `end`; in ascending order."""
        if first > self._next:
            self._begins.append(self._next)
            self._ends.append(first)
        self._next = max(self._next, end)

    def close(self) -> None:
        """Ends the pass: the rest up to `known_to` was not applied."""
        self.applied(self.known_to, self.known_to)

    def within(self, first: int, end: int) -> set[int]:
        """The offsets from `first` up to but not including `end` that were not applied."""
        found: set[int] = set()
        last = bisect_left(self._begins, end)
        for number in range(bisect_right(self._ends, first), last):
            found.update(range(max(first, self._begins[number]), min(end, self._ends[number])))
        return found


class AppliedPlaces:
    """Answers which records the live group `live` did not apply."""

    def __init__(self, connection: Connection, live: str, starts: Mapping[Place, int]) -> None:
        """Reads the ledger once, in one snapshot. `starts`: first offset of interest, by partition.

        Changes planner settings of `connection`.
        """
        self._connection = connection
        ledger = f"{quoted(live)}.ledger"
        self._statement = NOT_APPLIED.format(ledger=ledger).encode()
        self._gaps: dict[Place, UnappliedRanges] = {}
        numbers: dict[tuple[int, int], UnappliedRanges] = {}
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read")
            connection.execute("set local work_mem = '128MB'")
            for topic, number, partition, end in connection.execute(ENDS, [live]).fetchall():
                start = starts.get((topic, partition))
                if start is not None:
                    gaps = UnappliedRanges(start, max(start, end))
                    self._gaps[topic, partition] = numbers[number, partition] = gaps
            topics = sorted({topic for topic, _ in numbers})
            with connection.cursor("islands") as cursor:
                cursor.itersize = ROWS
                cursor.execute(ISLANDS.format(ledger=ledger).encode(), [topics])
                for number, partition, first, end in cursor:
                    if (number, partition) in numbers:
                        numbers[number, partition].applied(first, end)
        for gaps in self._gaps.values():
            gaps.close()
        # a few ids in a ledger of millions of rows: force index look-ups instead of a full scan
        connection.execute("set enable_hashjoin = off; set enable_mergejoin = off")

    def left_out(
        self, place: Place, topic: int, offsets: Sequence[int], ids: Iterable[bytes]
    ) -> set[int]:
        """The offsets from `offsets[0]` to `offsets[-1]` that the live group did not apply.

        Complete for `offsets` (sorted, not empty); of those between them some may be missing.
        `ids`: the event ids at `offsets`. `topic`: the number of the topic in the ledger.
        """
        gaps = self._gaps.get(place)
        known_to = gaps.known_to if gaps is not None else 0
        found = gaps.within(offsets[0], offsets[-1] + 1) if gaps is not None else set[int]()
        if offsets[-1] < known_to:
            return found
        later = bisect_left(offsets, known_to)
        asked = list(offsets[later:])
        said = "{" + ",".join([event_id.hex() for event_id in list(ids)[later:]]) + "}"
        rows = self._connection.execute(self._statement, [said, asked, topic, place[1]]).fetchall()
        return found | {asked[row[0] - 1] for row in rows}
