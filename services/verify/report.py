"""The result of a verification: differences by table and key, with events that may be the cause."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

LISTED_MAX = 200
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CausingEvent:
    """An event that contributed to a row. `place`: its record as `topic-partition@offset`."""

    event_id: str
    event: str
    place: str


@dataclass(slots=True)
class Difference:
    """A row, verdict, counter, dead letter or invariant that is not as the log says.

    `expected` or `found` None: there is no row.
    """

    where: str  # postgres, redis, engine or invariant
    table: str
    key: Key
    expected: Any
    found: Any
    in_redis: tuple[str, str] | None = None  # key and field of the row's Redis hash
    events: list[CausingEvent] = field(default_factory=list)


@dataclass(slots=True)
class VerifyReport:
    """What was compared, up to which position, and what differs.

    `rows`, `fields`: rows of Postgres and fields of Redis that were compared, by table. `counted`:
    number of differences by table; `differences` lists at most `LISTED_MAX` of a table. `right`:
    the expected rows of the differences in Postgres, by table and place in Redis.
    """

    projections: list[str]
    position: dict[str, int] = field(default_factory=dict)
    events: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    fields: dict[str, int] = field(default_factory=dict)
    tested: dict[str, int] = field(default_factory=dict)  # keys, by invariant
    differences: list[Difference] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    right: dict[tuple[str, tuple[str, str]], Any] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of differences, including those that are not listed."""
        return sum(self.counted.values())

    @property
    def mends(self) -> str | None:
        """The command that repairs verdicts, event ledger, dead letters and counts; None if these
        are right.
        """
        wrong = any(name.startswith("engine ") for name in self.counted)
        return "hitotsu rebuild --rejudge" if wrong else None

    def add(self, difference: Difference) -> None:
        """Counts a difference; lists it unless `LISTED_MAX` of its table are listed."""
        name = f"{difference.where} {difference.table}"
        self.counted[name] += 1
        if difference.in_redis is not None:
            row = difference.expected
            self.right[difference.table, difference.in_redis] = row and list(row.values())
        if self.counted[name] <= LISTED_MAX:
            self.differences.append(difference)

    def plain(self) -> dict[str, Any]:
        """The report as JSON values."""
        told = {**asdict(self), "counted": dict(self.counted), "total": self.total}
        told["mended_by"] = self.mends
        del told["right"]
        return told
