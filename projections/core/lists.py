"""What projections add beside their tables and queries: parts of lists, and metrics from SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from projections.core.tables import StoredTable

NumberOf = Callable[[Iterable[tuple[Any, ...]]], float]


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that a SELECT gives, in one row of one column, kept as a metric.

    `list_name`: of a list; then the SELECT is asked of each part of the list, as `{listed}`, and
    gives rows (label, number). A label of the part without a row is 0. `number_of`: computes the
    number from the rows of the SELECT, which then has any rows and columns.
    """

    metric: str
    statement: str
    projection: str
    list_name: str | None = None
    number_of: NumberOf | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows that a projection adds to a list, which other projections read by `Read.listed`.

    `statement`: a SELECT over the tables `uses`; all statements of a list have the same columns.
    `labels`: the kinds of rows that it can return. `has_subjects`: whether they can have a subject.
    """

    name: str
    labels: tuple[str, ...]
    statement: str
    uses: tuple[StoredTable, ...]
    projection: str
    has_subjects: bool = True
