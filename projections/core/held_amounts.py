"""Declares amounts that decisions hold, to subtract from rows until these include the event.

A decision is stored at once; its event is applied to the tables later. In between, an answer made
from the rows alone would offer the amount a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any
from uuid import UUID

from projections.core.tables import Ledger, Table


@dataclass(frozen=True, slots=True, eq=False)
class HeldAmounts:
    """Amounts that decisions hold, to subtract from the rows of the table `beside`.

    A decision is a row of `decisions`, a table of the schema `hitotsu`. Its state "open" counts
    until `expires_at`; the state named by `awaiting` (an event is on its way) counts until the
    event is applied; "released" and "expired" do not count. The transaction that applies the event
    sets the state to "applied" and stores from where readers see the event: `applied_partition`
    and `applied_offset`, and in the column `mark` the version of the changed row (the event id if
    `beside` is a ledger).

    The statements that expire, apply and delete decisions, the amounts that readers subtract, and
    the invariant that a decision ends once are generated from the declaration.
    """

    decisions: str
    beside: Table | Ledger
    by: Mapping[str, str]
    """Columns of `beside` that an amount belongs to, and the same columns of `decisions`. Readers
    look amounts up by the first."""
    amount: str
    """The column of `decisions` with the amount."""
    sums: tuple[str, str]
    """A database view of the present sums of amounts: its name, and its column with the amount.
    Its other columns are those of `by`."""
    ended_by: type
    """The type of the event that ends decisions when it is applied."""
    named: Mapping[str, str]
    """Columns of `decisions` and the event's fields that have the same values, to find the decision
    of an event. The first is the decision's id: an event in which it is null ends none."""
    awaiting: str
    mark: str
    fact_id: Callable[[Mapping[str, Any]], UUID]
    """Computes, from a row of `decisions`, the id of its event."""
    read: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    """Computes, from the event, a field in `named` whose value is not stored as it is."""
    but: str = ""
    """An SQL condition on `h`, a row of `decisions`: applied decisions for which it is true are
    never counted by readers."""
    keep_days: int = 30
    """For how many days a decision is kept after its end."""

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

    def values_of(self) -> Callable[[Any], tuple[Any, ...]]:
        """A function that returns the values of `named` of an event, always as a tuple."""
        readers = [self.read.get(name) or attrgetter(name) for name in self.named.values()]
        if self.read or len(readers) == 1:
            return lambda event: tuple(reader(event) for reader in readers)
        return attrgetter(*self.named.values())

    @property
    def fields(self) -> dict[str, str]:
        """Columns of `beside` and the event's fields that have the same values."""
        return {column: self.named[own] for column, own in self.by.items() if own in self.named}

    @property
    def types(self) -> tuple[str, ...]:
        """The Postgres types of the event's fields in `named`, of which the first is an id."""
        columns = {field: self.beside.columns[name].type for name, field in self.fields.items()}
        _, *rest = self.named.values()
        return ("uuid", *(columns[field] for field in rest))
