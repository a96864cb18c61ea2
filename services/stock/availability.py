"""Computes how many units can still be promised, from stock cells, policies and holds.

available  = on_hand - committed - reserved - safety_stock - unavailable   (at a location),
             without preorders among the committed units that units on their way cover
online     = available - store_share, never below 0                        (at a location)
online_atp = sum of online - company threshold - units held without a location, never below 0

Limits, so that the sum of all promises never exceeds the stock:

- at a location, at most `available` for the store and `online` for every other channel;
- over all locations, at most `online_atp` for every other channel, with or without a location;
  for the store at most the sum of `available` (never below 0 at any) less what is held without
  a location, because those units are in that sum.

Store share and company threshold limit online promises, not the stores. An order without a location
is held at the location "" and later placed where `online` has room. A promise has priority over
reserves: if less is left online than such orders need, they may also be served from store shares,
and if events took even more, from safety stock.

What is counted in one unit is an item of its own: the location of a spot is a place
(`schemas.measures`), and of an item that is measured all amounts are in thousandths of its unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from projections.shared_stock.promisable_units import in_thousandths, policy_for
from schemas.measures import MARK, everywhere, location_and_unit

Spot = tuple[str, str]
NONE: Mapping[Spot, int] = {}
NO_CODES: Mapping[str, str] = {}
ANYWHERE = ""
STORE = "STORE"


@dataclass(slots=True)
class PromisableCell:
    """One item at one location. `available`: less what is held there; may be negative."""

    available: int
    store_share: int
    safety_stock: int

    @property
    def online(self) -> int:
        """Units that channels other than the store may promise at this location."""
        return max(0, self.available - self.store_share)


@dataclass(slots=True)
class Item:
    """One item over all locations, counted in one unit.

    `available`, `online`: sums over its cells, a negative one as 0. `threshold`: the company
    threshold. `unplaced`: units held without a location.
    """

    available: int = 0
    online: int = 0
    threshold: int = 0
    unplaced: int = 0

    @property
    def online_atp(self) -> int:
        """Units that channels other than the store may still promise, over all locations."""
        return max(0, self.online - self.threshold - self.unplaced)

    def add(self, cell: PromisableCell) -> None:
        """Adds a cell of this item to the sums."""
        self.available += max(0, cell.available)
        self.online += cell.online


class AvailableUnits:
    """The units of some items in memory, while a batch of commands takes from them."""

    def __init__(
        self,
        cells: Iterable[Mapping[str, Any]],
        policies: Iterable[Mapping[str, Any]],
        held: Mapping[Spot, int],
        at: int,
        later: Mapping[Spot, int] = NONE,
        owns: Mapping[str, str] = NO_CODES,
    ) -> None:
        """`cells`: rows of `stock_cell`. `policies`: of `stock_policy`. `at`: microseconds.

        `held`: units in holds, by item and location. `later`: committed units that units on their
        way cover, likewise. `owns`: the item's own sku, by each other code of it; rows have own
        skus.
        """
        self._owns = owns
        self._cells: dict[Spot, PromisableCell] = {}
        self._items: dict[Spot, Item] = {}
        at_location: dict[str, list[Mapping[str, Any]]] = {}
        for rule in policies:
            at_location.setdefault(rule["location_id"], []).append(rule)
        for row in cells:
            sku, location = row["sku"], row["location_id"]
            if MARK in location:
                whole, policy = (
                    (sku, everywhere(location)),
                    _measured(at_location, sku, location, at),
                )
            else:
                whole = (sku, ANYWHERE)
                policy = policy_for(at_location.get(location, ()), location, sku, at)
            free = row["on_hand"] - row["committed"] - row["unavailable"] - policy["safety_stock"]
            if later:
                free += later.get((sku, location), 0)
            cell = PromisableCell(
                free - held.get((sku, location), 0), policy["store_share"], policy["safety_stock"]
            )
            self._cells[sku, location] = cell
            item = self._items.get(whole)
            if item is None:
                item = self._items[whole] = Item(unplaced=held.get(whole, 0))
            item.add(cell)
            item.threshold = max(item.threshold, policy["company_threshold"])

    def room(self, spot: Spot, channel: str) -> int:
        """Units that `channel` may promise at `spot` now: the lowest of `_limits`, at least 0."""
        spot = self._own(spot)
        whole = (spot[0], everywhere(spot[1]))
        item = self._items.get(whole)
        if item is None:
            return 0
        if spot == whole:
            return 0 if channel == STORE else item.online_atp
        cell = self._cells.get(spot)
        if cell is None:
            return 0
        if channel == STORE:
            return max(0, min(cell.available, item.available - item.unplaced))
        return min(cell.online, item.online_atp)

    def reason(self, spot: Spot, channel: str) -> str:
        """The code (a key of `REASONS`) of the lowest limit for `channel` at `spot`."""
        limits = self._limits(self._own(spot), channel)
        return min(limits, key=lambda code: limits[code])

    def placeable(self, spot: Spot) -> int:
        """Units held without a location that `spot` may serve at a commit; at least 0."""
        spot = self._own(spot)
        cell = self._cells.get(spot)
        if cell is None:
            return 0
        item = self._items[spot[0], everywhere(spot[1])]
        if item.unplaced <= item.online:
            return cell.online
        kept_back = 0 if item.unplaced <= item.available else cell.safety_stock
        return max(0, cell.available + kept_back)

    def take(self, spot: Spot, quantity: int) -> None:
        """Takes units from the remaining ones; a negative number puts them back."""
        spot = self._own(spot)
        whole = (spot[0], everywhere(spot[1]))
        cell = self._cells.get(spot)
        if cell is not None:
            item, available, online = self._items[whole], cell.available, cell.online
            cell.available -= quantity
            item.available += max(0, cell.available) - max(0, available)
            item.online += cell.online - online
        elif spot == whole and whole in self._items:
            self._items[whole].unplaced += quantity

    def _own(self, spot: Spot) -> Spot:
        """The spot by the item's own sku."""
        return (self._owns.get(spot[0], spot[0]), spot[1]) if self._owns else spot

    def _limits(self, spot: Spot, channel: str) -> dict[str, int]:
        """Units that each limit leaves, by code, at least 0; of equal limits the first decides."""
        whole = (spot[0], everywhere(spot[1]))
        item = self._items.get(whole)
        if item is None:
            return {"not-stocked": 0}
        if spot == whole:
            return {"no-location": 0} if channel == STORE else _online(item)
        cell = self._cells.get(spot)
        if cell is None:
            return {"not-stocked": 0}
        here = {"not-available": max(0, cell.available)}
        if channel != STORE:
            return {**here, "store-share": cell.online, **_online(item)}
        return {**here, "promised-online": max(0, item.available - item.unplaced)}


REASONS: Mapping[str, str] = {
    "not-stocked": "The item has no stock record at the requested location.",
    "not-available": "The location has no more units available beyond its safety stock.",
    "store-share": "The remaining units of the location are the share of its store.",
    "promised-online": "The remaining units are held for orders that have no location yet.",
    "company-threshold": "The remaining units of all locations are the company threshold.",
    "not-available-online": "All locations together have no more units for online channels.",
    "no-location": "A store reserves units at a location: send `location_id`.",
}
"""Why a line gets fewer units than it asks for: a sentence by the code in the answer."""


def _measured(
    at_location: Mapping[str, list[Mapping[str, Any]]], sku: str, place: str, at: int
) -> Mapping[str, Any]:
    """The policy for what is measured at a place."""
    location, _ = location_and_unit(place)
    return in_thousandths(policy_for(at_location.get(location, ()), location, sku, at))


def _online(item: Item) -> dict[str, int]:
    """The limits over all locations for channels other than the store."""
    return {
        "not-available-online": max(0, item.online),
        "promised-online": max(0, item.online - item.unplaced),
        "company-threshold": item.online_atp,
    }
