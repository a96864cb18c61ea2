"""Derived tables: their rows are computed from the rows of other tables (inputs).

A derivation has one row per node. Its rows are a pure function of the inputs' rows, so the order of
events has no effect. A changed input row may change the rows of many nodes; the derivation's
`scope` finds these.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from projections.core.tables import RowKey, StoredTable

Decide = Callable[..., Mapping[bytes, Sequence[Any]]]
"""Takes the rows of the inputs as arguments with the inputs' names; returns values by node."""
Ask = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]
"""Runs a SELECT in the transaction that stores the change; parameters `%(name)s`, ids as bytes."""
Shared = Mapping[str, list[tuple[Any, ...]]]
"""Rows of the inputs without nodes, which concern all nodes, by the name of the input."""


@dataclass(frozen=True, slots=True)
class Input:
    """An input table of a derivation. `columns`: those that `decide` gets, the node first.

    `nodes`: how many of the table's first key columns are node ids; 0: its rows concern all nodes.
    """

    table: StoredTable
    columns: tuple[str, ...]
    nodes: int = 1


class ReachableNodes(NamedTuple):
    """The nodes whose rows a change may affect; `more`: further arguments of `decide`."""

    nodes: set[bytes]
    more: Mapping[str, object]


class Scope(Protocol):
    """Finds the nodes that have to be computed again after a change; reads only by `Ask`."""

    def shared(self, ask: Ask) -> Shared:
        """The rows of the inputs without nodes that `decide` needs."""

    def everything(self, shared: Shared, changed: Collection[RowKey]) -> bool:
        """Whether all nodes have to be computed after these rows of inputs without nodes changed.

        `changed`: their keys.
        """

    def before_erasure(self, ask: Ask, shared: Shared, erased: Collection[bytes]) -> set[bytes]:
        """The nodes whose rows may change if the nodes `erased` are erased; called before that."""

    def reach(self, ask: Ask, shared: Shared, touched: Collection[bytes]) -> ReachableNodes:
        """All nodes whose rows depend on the nodes `touched`, directly or indirectly."""


@dataclass(eq=False)
class Derivation(StoredTable):
    """A table with a row per node that is computed from the rows of other tables.

    `decide` gets the inputs' rows of the nodes that `scope` reaches, or of all nodes.
    """

    inputs: Mapping[str, Input] = field(kw_only=True)
    decide: Decide = field(kw_only=True)
    scope: Scope = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.keys) != 1:
            raise TypeError(f"{self.name}: a derivation must have one key column, the node")

    @property
    def node_inputs(self) -> dict[str, Input]:
        """The inputs whose rows belong to nodes, by name."""
        return {name: one for name, one in self.inputs.items() if one.nodes}

    def decided(
        self, rows: Callable[[StoredTable], Iterable[Mapping[str, Any]]]
    ) -> dict[RowKey, list[Any]]:
        """The rows of all nodes, by key; `rows` returns all rows of a table."""
        known = {
            name: [tuple(row[column] for column in one.columns) for row in rows(one.table)]
            for name, one in self.inputs.items()
        }
        return {(node,): list(values) for node, values in self.decide(**known).items()}
