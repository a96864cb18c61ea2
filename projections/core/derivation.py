"""A derivation: a table whose rows are computed from the rows of other tables, together.

It has one row per node. The rows are a pure function of the rows of its inputs, so any order of
events gives the same result. A changed input row may change the rows of distant nodes; the
derivation's `scope` finds them.
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
    """An input table. `columns`: those passed to the function, the node first.

    `nodes`: how many of the table's key columns, from the first, are node ids. With 0, its rows
    concern every node.
    """

    table: StoredTable
    columns: tuple[str, ...]
    nodes: int = 1


class ReachableNodes(NamedTuple):
    """The nodes that a change can reach, and further arguments of the function."""

    nodes: set[bytes]
    more: Mapping[str, object]


class Scope(Protocol):
    """Finds what has to be computed again after a change. It reads through `Ask` only."""

    def shared(self, ask: Ask) -> Shared:
        """The rows in force of the inputs without nodes."""

    def everything(self, shared: Shared, changed: Collection[RowKey]) -> bool:
        """Whether a change of these keys, of inputs without nodes, concerns every node."""

    def before_erasure(self, ask: Ask, shared: Shared, erased: Collection[bytes]) -> set[bytes]:
        """The nodes whose rows may change when these are erased; called before the erasure."""

    def reach(self, ask: Ask, shared: Shared, touched: Collection[bytes]) -> ReachableNodes:
        """All nodes whose rows depend on the touched ones: a closed set."""


@dataclass(eq=False)
class Derivation(StoredTable):
    """One row per node, computed from the rows of other tables.

    `decide` gets the inputs' rows of a closed set of nodes, or of all nodes, by input name.
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
        """Every node's row, if `rows` has the complete content of each input."""
        known = {
            name: [tuple(row[column] for column in one.columns) for row in rows(one.table)]
            for name, one in self.inputs.items()
        }
        return {(node,): list(values) for node, values in self.decide(**known).items()}
