"""How projections are declared: tables whose rows merge, handlers of events, and queries."""

from projections.core.columns import (
    Change,
    LevelReading,
    earliest,
    first,
    first_by,
    key,
    latest_by,
    level,
    maximum,
    plain,
    spans,
    total,
)
from projections.core.derivation import Derivation, Input
from projections.core.documents import DocumentSet
from projections.core.held_amounts import HeldAmounts
from projections.core.projection import Projection
from projections.core.query import NotFound, Page, Query, Read, Subject
from projections.core.tables import Evolution, Ledger, Row, Table, View

__all__ = [
    "Change",
    "Derivation",
    "DocumentSet",
    "Evolution",
    "HeldAmounts",
    "Input",
    "Ledger",
    "LevelReading",
    "NotFound",
    "Page",
    "Projection",
    "Query",
    "Read",
    "Row",
    "Subject",
    "Table",
    "View",
    "earliest",
    "first",
    "first_by",
    "key",
    "latest_by",
    "level",
    "maximum",
    "plain",
    "spans",
    "total",
]
