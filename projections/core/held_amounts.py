"""Amounts under decided holds, to subtract from a table's rows until these include the event.

A decision is stored at once; its event reaches the tables later. In between, an answer made from
the rows alone would offer the amount a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from projections.core.tables import Ledger, Table


@dataclass(frozen=True, slots=True, eq=False)
class HeldAmounts:
    """Amounts that decisions hold, to subtract from the rows of one table.

    A decision is a row of `decisions`, a durable table of the schema `hitotsu`. Its state is
    `awaiting` until its event is applied. The transaction that stores the event sets it to
    `applied` and records from which position a reader sees the event: in `applied_partition` and
    `applied_offset`, and in the column `mark` the version of the changed row (or the event id if
    `beside` is a ledger).

    States: `open` counts until `expires_at`; `released` and `expired` count no more; `awaiting`
    counts until it is `applied`. From the declaration follow the statements that expire, apply and
    delete decisions, what readers subtract, and the invariant that a decision ends once.
    """

    decisions: str
    beside: Table | Ledger
    by: Mapping[str, str]
    """Columns of `beside` by which amounts are told apart, and what `decisions` calls them. The
    first is the one that readers ask by."""
    amount: str
    """The column of `decisions` that says how much."""
    sums: tuple[str, str]
    """A view of what is set aside now: its name and its amount; `by` names its other columns."""
    ended_by: type
    """The event that is the fact of a decision."""
    named: Mapping[str, str]
    """Columns of `decisions` that find the decision, and the event's fields they equal. The first
    is the decision's id: an event without it ends nothing."""
    awaiting: str
    mark: str
    fact_id: Callable[[Mapping[str, Any]], UUID]
    """The event id of a decision's fact, from the decision's row."""
    but: str = ""
    """A condition on decisions `h` that readers never count once they are applied."""
    keep_days: int = 30
    """How long a decision is kept after its end."""

    def __post_init__(self) -> None:
        if missing := set(self.by) - set(self.beside.columns):
            raise TypeError(
                f"{self.decisions}: {self.beside.name} has no columns {sorted(missing)}"
            )
        if isinstance(self.beside, Table):
            if not self.beside.versioned:
                raise TypeError(f"{self.decisions}: {self.beside.name} must be versioned")
            if unnamed := set(self.beside.keys) - set(self.fields):
                raise TypeError(
                    f"{self.decisions}: no event field is declared for {sorted(unnamed)}"
                )

    @property
    def fields(self) -> dict[str, str]:
        """Columns of `beside` and the fields of the event that equal them."""
        return {column: self.named[own] for column, own in self.by.items() if own in self.named}

    @property
    def types(self) -> tuple[str, ...]:
        """The types of the event fields that identify the decision: an id, then the columns'."""
        columns = {field: self.beside.columns[name].type for name, field in self.fields.items()}
        _, *rest = self.named.values()
        return ("uuid", *(columns[field] for field in rest))
