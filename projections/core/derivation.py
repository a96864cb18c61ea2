"""Which rows follow from rows of other tables, all of them together?

A derivation keeps one row a node. What its function decides depends on rows of other tables, its
inputs, and on nothing else, so any order of events gives the same rows. A change of one row may
change the rows of nodes far away; which ones, the derivation's `scope` says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from projections.core.tables import RowKey, StoredTable

Decide = Callable[..., Mapping[bytes, Sequence[Any]]]
"""Takes the rows of each input under its name, and gives each node's values."""
Ask = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]
"""Runs a SELECT in the transaction that stores the change; values by `%(name)s`, ids as bytes."""
Shared = Mapping[str, list[tuple[Any, ...]]]
"""Rows of the inputs that concern every node, by the name of the input."""


@dataclass(frozen=True, slots=True)
class Input:
    """Rows that are decided from. `columns`: what is handed on of each row, its node first.

    `nodes`: that many of the table's key columns, from the first on, name nodes. With 0 its rows
    concern every node.
    """

    table: StoredTable
    columns: tuple[str, ...]
    nodes: int = 1


class Reach(NamedTuple):
    """The nodes that a change can reach, and what else the deciding function is told."""

    nodes: set[bytes]
    more: Mapping[str, object]


class Scope(Protocol):
    """What has to be decided anew after a change. It reads by `Ask` alone."""

    def shared(self, ask: Ask) -> Shared:
        """The rows in force of the inputs without nodes."""

    def everything(self, shared: Shared, changed: Collection[RowKey]) -> bool:
        """Whether a change of these keys, of inputs without nodes, concerns every node."""

    def before_erasure(self, ask: Ask, shared: Shared, erased: Collection[bytes]) -> set[bytes]:
        """The nodes whose rows may change when these lose their own; asked while they are there."""

    def reach(self, ask: Ask, shared: Shared, touched: Collection[bytes]) -> Reach:
        """All nodes whose rows follow from those touched: a closed set."""


@dataclass(eq=False)
class Derivation(StoredTable):
    """One row a node, decided from the rows of other tables.

    `decide` gets the inputs' rows of a closed set of nodes, or of all, by the inputs' names.
    """

    inputs: Mapping[str, Input] = field(kw_only=True)
    decide: Decide = field(kw_only=True)
    scope: Scope = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.keys) != 1:
            raise TypeError(f"{self.name}: a derivation has one key, the node")

    @property
    def node_inputs(self) -> dict[str, Input]:
        """The inputs whose rows belong to nodes."""
        return {name: one for name, one in self.inputs.items() if one.nodes}

    def decided(
        self, rows: Callable[[StoredTable], Iterable[Mapping[str, Any]]]
    ) -> dict[RowKey, list[Any]]:
        """Every node's row, where `rows` gives all there is of each table."""
        known = {
            name: [tuple(row[column] for column in one.columns) for row in rows(one.table)]
            for name, one in self.inputs.items()
        }
        return {(node,): list(values) for node, values in self.decide(**known).items()}
