"""The kinds of columns, and how two values of a column merge.

A kind is an associative and commutative merge with an identity, written twice: in Python, to fold a
batch, and in SQL, to merge with stored rows. So the order in which events arrive has no effect. The
kind `plain` does not merge: a ledger's row is written once, and an evolution's state is computed by
its function.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

TYPES = frozenset(
    {
        "uuid",
        "bigint",
        "int",
        "smallint",
        "boolean",
        "text",
        "json",
        "bytea",
        "double precision",
        "uuid[]",
        "bigint[]",
        "int[]",
        "text[]",
        "int8multirange",
    }
)


class Change(NamedTuple):
    """A change of a level by `delta`, at `at` (microseconds since the epoch)."""

    delta: int
    at: int


class LevelReading(NamedTuple):
    """A count of a level: it was `value` at `at`; changes at or after `at` are added to that."""

    value: int
    at: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A column in Postgres. `update`: SQL of its new value in an upsert (`t`: the stored row).

    `hidden`: not a part of rows that readers get. `json`: the text is JSON, so that a row's JSON
    contains it unchanged.
    """

    name: str
    type: str
    update: str
    hidden: bool = False
    default: str = ""
    json: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A declared column.

    `fold`: Python statement that merges the new value {v} into the old value {o}. `update`: the
    same in SQL. `wrap`: Python expression that converts a handler's value to the folded form.
    `at`, `by`: other columns on which the merge depends.
    """

    kind: str
    type: str
    default: str = "None"
    fold: str = ""
    update: str = "t.{c}"
    wrap: str = "{v}"
    at: str | None = None
    by: str | None = None
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise TypeError(f"unknown column type {self.type!r}; known: {sorted(TYPES)}")


def key(type: str) -> Column:
    """A column of the primary key."""
    return Column("key", type)


def plain(type: str) -> Column:
    """A column of a ledger or an evolution: its values do not merge."""
    return Column("plain", type, fold="{o} = {v}", update="excluded.{c}")


def total(type: str = "bigint") -> Column:
    """A column whose value is the sum of all values."""
    return Column("total", type, "0", "{o} += {v}", "t.{c} + excluded.{c}")


def maximum(type: str = "bigint") -> Column:
    """A column whose value is the greatest of all values; null only if all are null."""
    return Column(
        "maximum",
        type,
        fold="if {v} is not None and ({o} is None or {v} > {o}): {o} = {v}",
        update="greatest(t.{c}, excluded.{c})",
    )


def earliest(type: str = "bigint") -> Column:
    """A column whose value is the smallest of all values; null only if all are null."""
    return Column(
        "earliest",
        type,
        fold="if {v} is not None and ({o} is None or {v} < {o}): {o} = {v}",
        update="least(t.{c}, excluded.{c})",
    )


def latest_by(type: str, at: str) -> Column:
    """A column with the value of the latest row: the greatest `at`, at equal times the greatest
    value. Rows in which column `at` is null are ignored.
    """
    newer = (
        "excluded.{at} is not null and (t.{at} is null or excluded.{at} > t.{at} "
        "or (excluded.{at} = t.{at} and (t.{c} is null or excluded.{c} > t.{c})))"
    )
    return Column(
        "latest_by",
        type,
        fold="if {v_at} is not None and newer({v_at}, {v}, {o_at}, {o}): {o} = {v}",
        update="case when " + newer + " then excluded.{c} else t.{c} end",
        at=at,
    )


def first(type: str) -> Column:
    """The value of the first row in the log. The rows of a key must share a record key, so that
    they are in one partition: across partitions it does not commute.
    """
    return Column("first", type, fold="pass", update="t.{c}")


def first_by(type: str, at: str, by: str) -> Column:
    """A column with the value of the first row: the smallest (`at`, `by`).

    Columns with the same `at` and `by` come from the same row. `by` may be the column itself. Rows
    in which column `at` or `by` is null are ignored.
    """
    older = (
        "excluded.{at} is not null and excluded.{by} is not null and (t.{at} is null"
        " or t.{by} is null or (excluded.{at}, excluded.{by}) < (t.{at}, t.{by}))"
    )
    return Column(
        "first_by",
        type,
        fold="if older({v_at}, {v_by}, {o_at}, {o_by}): {o} = {v}",
        update="case when " + older + " then excluded.{c} else t.{c} end",
        at=at,
        by=by,
    )


def older(at: Any, by: Any, old_at: Any, old_by: Any) -> bool:
    """Whether (at, by) is before (old_at, old_by); False if `at` or `by` is None."""
    if at is None or by is None:
        return False
    return old_at is None or old_by is None or bool((at, by) < (old_at, old_by))


def newer(at: Any, value: Any, old_at: Any, old: Any) -> bool:
    """Whether (at, value) replaces (old_at, old): it is later, or as late and not less.

    `at` is not None; an `old_at` or `old` of None is always replaced.
    """
    if old_at is None or at != old_at:
        return old_at is None or bool(at > old_at)
    return old is None or (value is not None and bool(value > old))


def spans() -> Column:
    """A column with a set of integers, stored as ranges (int8multirange); merged by union."""
    return Column(
        "spans",
        "int8multirange",
        fold="{o}.extend({v})",
        update="t.{c} + excluded.{c}",
        wrap="[] if {v} is None else [{v}]",
    )


def level() -> Column:
    """A quantity of which events report readings (counts) and changes.

    Value = the latest reading + all changes at or after its time; without a reading, all changes.
    All changes are stored, so that a reading may arrive late.
    """
    return Column("level", "bigint", fold="{o} = joined({o}, {v})", wrap="opened({v})")


def unmoved(column: Column, values: Sequence[Any]) -> bool:
    """Whether merging all these values changes nothing, so that they need not be sent."""
    if column.kind == "total":
        return not any(values)
    if column.kind in ("maximum", "earliest"):
        return values.count(None) == len(values)
    return False


LevelPart = tuple[int, int | None, int | None, int | None]
ALWAYS = -(1 << 62)


def opened(value: Change | LevelReading | None) -> LevelPart:
    """Converts a change or reading to (delta, time from which it has an effect, reading, its time).

    A reading has an effect on the level at all times.
    """
    if value is None:
        return (0, None, None, None)
    if type(value) is Change:
        delta, at = value
        return (delta, at, None, None)
    reading, at = value
    return (0, ALWAYS, reading, at)


def joined(old: LevelPart, new: LevelPart) -> LevelPart:
    """Merges two parts of a level; associative and commutative."""
    starts = [part[1] for part in (old, new) if part[1] is not None]
    reads = [(part[3], part[2]) for part in (old, new) if part[3] is not None]
    at, reading = max(reads, key=lambda read: (read[0], read[1])) if reads else (None, None)
    return (old[0] + new[0], min(starts) if starts else None, reading, at)


def later_reading(old: LevelPart, new: LevelPart) -> LevelPart:
    """The later (then the greater) reading of two parts, without their changes.

    For code that stores changes separately.
    """
    _, _, reading, at = joined(old, new)
    return (0, None, reading, at)


def level_value(
    reading: int | None, read_at: int | None, changes: Iterable[tuple[int, int]]
) -> int:
    """The value of a level: its latest reading plus all changes (at, delta) at or after it.

    `read_at` None: there is no reading, all changes count.
    """
    return (reading or 0) + sum(d for at, d in changes if read_at is None or at >= read_at)


def stored(name: str, column: Column) -> list[Stored]:
    """The Postgres columns of a declared column: four for a level, else one."""
    if column.kind != "level":
        update = column.update.format(c=name, at=column.at, by=column.by)
        default = "0" if column.kind == "total" else ""
        if column.type == "json":
            # as text: Postgres never looks inside, and equal documents are equal texts
            return [Stored(name, "text", update, json=True)]
        return [Stored(name, column.type, update, default=default)]
    later = (
        f"(excluded.{name}_read_at, excluded.{name}_read) > "
        f"(coalesce(t.{name}_read_at, {ALWAYS}), coalesce(t.{name}_read, {ALWAYS}))"
    )
    return [
        Stored(name, "bigint", f"t.{name} + excluded.{name}"),
        Stored(f"{name}_from", "bigint", f"excluded.{name}_from", hidden=True),
        Stored(
            f"{name}_read",
            "bigint",
            f"case when {later} then excluded.{name}_read else t.{name}_read end",
        ),
        Stored(
            f"{name}_read_at",
            "bigint",
            f"case when {later} then excluded.{name}_read_at else t.{name}_read_at end",
        ),
    ]


def span_text(numbers: list[int]) -> str:
    """Integers as a Postgres multirange literal, such as {[1,4),[7,8)}."""
    ranges: list[list[int]] = []
    for number in sorted(set(numbers)):
        if ranges and ranges[-1][1] == number:
            ranges[-1][1] = number + 1
        else:
            ranges.append([number, number + 1])
    return "{" + ",".join(f"[{low},{high})" for low, high in ranges) + "}"
