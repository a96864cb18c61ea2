"""Levels that are read in parts.

A level has a value that readings set and changes move (`columns.level`). Sometimes only a part is
read, one room of several. Such a reading alone does not determine the whole, so
the value is computed from all readings, the changes, and settings of the part to which changes
belong. The function is declared twice, in Python and in SQL; tests compare the two.

A change at or after the latest reading of any part is added to the value, as for other levels. The
function computes the value again only after a reading, a change before it, or a new setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from projections.core.tables import Ledger, RowKey, Table


class PartReading(NamedTuple):
    """A reading of a part; `part` None: of the whole. `at`: microseconds since the epoch."""

    at: int
    value: int
    part: str | None


class PartSetting(NamedTuple):
    """From `valid_from` on, changes belong to `part`."""

    valid_from: int
    part: str | None


Value = Callable[[Sequence[PartReading], Iterable[tuple[int, int]], Sequence[PartSetting]], int]
"""Computes a level from its readings, its changes (at, delta), and the settings."""


@dataclass(frozen=True, eq=False)
class LevelParts:
    """How the level of `table` is computed from readings of parts.

    `readings`: a ledger that has the table's keys; `named`: its columns for `PartReading`, in that
    order. `settings`: a table with the key column `by` of the table, and then the column of
    `PartSetting.valid_from`; `setting`: its column with the part. `sql`: the value of a row `t`.
    `setting_of` and `setting_sql`: the settings' key of a value of `by`, and of such a column.
    """

    table: Table
    readings: Ledger
    named: tuple[str, str, str]
    settings: Table
    by: str
    setting: str
    sql: str
    value: Value
    setting_of: Callable[[Any], Any] = lambda by: by
    setting_sql: Callable[[str], str] = lambda column: column

    def reading(self, values: Sequence[Any]) -> tuple[RowKey, PartReading]:
        """The level's key and the reading, of a ledger row without its event and number."""
        row = dict(zip(self.readings.values, values, strict=True))
        at, value, part = (row[name] for name in self.named)
        return tuple(row[name] for name in self.table.keys), PartReading(at, value, part)

    def concerns(self, key: RowKey) -> Any:
        """The key of the settings that concern a key of the table."""
        return self.setting_of(key[self.table.keys.index(self.by)])
