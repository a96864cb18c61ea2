"""How many units may still be promised? Cells, policies and holds of some items, in one place.

available  = on_hand - committed - reserved - safety_stock - unavailable
online_atp = sum over locations of (available - store_share), never below 0 at any of them,
             - company threshold
             - units held for orders without a location yet
A store may promise what is available at the location; every other channel also leaves the store
its share, and over all locations no more than `online_atp`. An order that has no location yet is
held against `online_atp` alone, at the location "".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from projections.shared_stock.available import policy_for

Spot = tuple[str, str]
ANYWHERE = ""


@dataclass(slots=True)
class Cell:
    """One item at one location, as far as promising is concerned."""

    available: int
    store_share: int

    @property
    def online(self) -> int:
        return max(0, self.available - self.store_share)


class Shelf:
    """What is left while one command after the other takes from it."""

    def __init__(
        self,
        cells: Iterable[Mapping[str, Any]],
        policies: Iterable[Mapping[str, Any]],
        held: Mapping[Spot, int],
        at: int,
    ) -> None:
        """`held`: units under holds that count, by item and location; `at` in microseconds."""
        self._cells: dict[Spot, Cell] = {}
        self._online: dict[str, int] = {}
        threshold: dict[str, int] = {}
        at_location: dict[str, list[Mapping[str, Any]]] = {}
        for rule in policies:
            at_location.setdefault(rule["location_id"], []).append(rule)
        for row in cells:
            sku, location = row["sku"], row["location_id"]
            policy = policy_for(at_location.get(location, ()), location, sku, at)
            free = row["on_hand"] - row["committed"] - row["unavailable"] - policy["safety_stock"]
            cell = Cell(free - held.get((sku, location), 0), policy["store_share"])
            self._cells[sku, location] = cell
            self._online[sku] = self._online.get(sku, 0) + cell.online
            threshold[sku] = max(threshold.get(sku, 0), policy["company_threshold"])
        for sku, kept in threshold.items():
            self._online[sku] -= kept + held.get((sku, ANYWHERE), 0)

    def room(self, spot: Spot, channel: str) -> int:
        """How many units this channel may promise there now; never below 0."""
        sku, location = spot
        if location == ANYWHERE:
            return max(0, self._online.get(sku, 0)) if channel != "STORE" else 0
        cell = self._cells.get(spot)
        if cell is None:
            return 0
        if channel == "STORE":
            return max(0, cell.available)
        return max(0, min(cell.online, self._online[sku]))

    def take(self, spot: Spot, quantity: int) -> None:
        """Units are held; negative: they are free again."""
        sku, location = spot
        cell = self._cells.get(spot)
        if cell is not None:
            before = cell.online
            cell.available -= quantity
            self._online[sku] += cell.online - before
        elif location == ANYWHERE and sku in self._online:
            self._online[sku] -= quantity
