"""What documents do to stock: moves of units, and what does not fit. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Move:
    """Units of an item that change at a location, at a time (microseconds since the epoch)."""

    sku: str
    location: str
    at: int
    on_hand: int = 0
    committed: int = 0
    unavailable: int = 0
    incoming: int = 0


@dataclass(frozen=True, slots=True)
class Misfit:
    """Units that a document names and that its order or transfer does not have.

    `resolution`: which side people decided to be right; None while nobody has.
    """

    document: str
    kind: str
    at: int
    sku: str
    location: str
    quantity: int
    resolution: str | None = None
