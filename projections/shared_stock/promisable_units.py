"""How many units can be sold? The arithmetic of availability, pure.

available  = on_hand - (committed - preordered) - reserved - safety_stock - unavailable
online_atp = sum over locations of (available - store_share), never below 0 at any of them,
             - company threshold - units held for orders without a location yet
store_atp  = available, never below 0, and over all locations no more than the sum of it less the
             units held for orders without a location yet
short      = committed - preordered + reserved - (on_hand - unavailable), never below 0 on either
             side; over all locations plus units held without a location for which no location has
             free units
preordered = of the committed units those that units on their way cover (`preorders.py`)

All of it for each unit in which the item is counted: what is there in kg serves no order in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from schemas.measures import (
    MARK,
    THOUSANDTHS,
    Units,
    UnitTold,
    location_and_unit,
    shown,
)

NONE: Mapping[str, int] = {}
NO_POLICY: Mapping[str, Any] = {"safety_stock": 0, "store_share": 0, "company_threshold": 0}


@dataclass(slots=True, kw_only=True)
class Cell:
    """One item at one location. `store_atp`: what the store itself may promise.

    `short`: units promised here that are not available here. `receiving_gap`: units that left
    although on hand was 0, so a receipt is missing. `preordered`: of the committed units those that
    are promised for a time by which as many are incoming; they take nothing off what is available.
    """

    location_id: str
    on_hand: Units
    committed: Units
    reserved: Units = 0
    unavailable: Units
    incoming: Units
    safety_stock: Units = 0
    store_share: Units = 0
    available: Units
    store_atp: Units
    short: Units
    receiving_gap: Units
    preordered: Units = 0
    unit: UnitTold = None


AMOUNTS = [name for name in Cell.__dataclass_fields__ if name not in ("location_id", "unit")]


class UnitTotals(BaseModel):
    """Figures of `Stock` over the locations that count the item in another unit."""

    unit: str
    online_atp: Units
    unplaced: Units
    short: Units


class ExpectedUnits(BaseModel):
    """Units of an item that are expected at a location at a time.

    `incoming`: on their way. `preordered`: promised to orders for that time, whether or not they
    are covered. `promisable`: units that can still be preordered for that time.
    """

    location_id: str
    expected_at: datetime
    incoming: Units
    preordered: Units
    promisable: Units
    unit: UnitTold = None


class Stock(BaseModel):
    """One item over all locations. `online_atp`: what EC may promise.

    `unplaced`: held for orders without a location yet. `short`: promised but not available, at a
    location or over all. `expected`: announced deliveries and preorders, by location and date;
    units of transfers that are under way have no date. If `reserved_known` is false, holds could
    not be read, and no figure includes them; `expected` and `preordered` may be missing then too.
    `as_of`: the requested event time; null: now.
    """

    sku: str
    locations: list[Cell]
    online_atp: Units
    unplaced: Units = 0
    short: Units = 0
    unit: UnitTold = None
    other_units: list[UnitTotals] | None = Field(
        default=None,
        exclude_if=lambda totals: totals is None,
        description="Present if the item is counted in several units: the figures of the others.",
    )
    reserved_known: bool = True
    as_of: datetime | None = None
    expected: list[ExpectedUnits] = Field(default_factory=list)


def in_force(versions: Iterable[Mapping[str, Any]], at: int) -> Mapping[str, Any] | None:
    """The version with the greatest `valid_from` at or before `at` (microseconds)."""
    past = [version for version in versions if version["valid_from"] <= at]
    return max(past, key=lambda version: version["valid_from"]) if past else None


def policy_for(
    policies: Iterable[Mapping[str, Any]], location_id: str, sku: str, at: int
) -> Mapping[str, Any]:
    """The item's own policy at the location, else the location's general one, else none."""
    return policy_of(
        (policy for policy in policies if policy["location_id"] == location_id), sku, at
    )


def policy_of(here: Iterable[Mapping[str, Any]], sku: str, at: int) -> Mapping[str, Any]:
    """The policy in force among those of one location: the item's own, else the general one."""
    own, general = None, None
    for policy in here:
        if policy["valid_from"] > at:
            continue
        if policy["sku"] == sku:
            if own is None or policy["valid_from"] > own["valid_from"]:
                own = policy
        elif policy["sku"] == "" and (
            general is None or policy["valid_from"] > general["valid_from"]
        ):
            general = policy
    return own or general or NO_POLICY


def in_thousandths(policy: Mapping[str, Any]) -> Mapping[str, Any]:
    """A policy for what is measured: 2 means 2 units of it."""
    return {**policy, **{name: policy[name] * THOUSANDTHS for name in NO_POLICY}}


def stock(
    sku: str,
    cells: Iterable[Mapping[str, Any]],
    policies: list[Mapping[str, Any]],
    at: int,
    unplaced: int = 0,
    held: Mapping[str, int] | None = None,
    preordered: Mapping[str, int] = NONE,
) -> Stock:
    """An item's availability, from its cells and the policies in force at `at`.

    `held`: units reserved, by place; without it each cell holds its own `reserved`. `unplaced`: of
    these, pieces without a location. `preordered`: committed units that units on their way cover,
    by place.
    """
    rows = list(cells)
    measured = [row for row in rows if MARK in row["location_id"]]
    if not measured:
        return _stock(sku, rows, policies, at, unplaced, held, preordered)
    pieces = [row for row in rows if MARK not in row["location_id"]]
    parts = _by_unit(measured, held, preordered)
    stocks = [_stock(sku, pieces, policies, at, unplaced, held, preordered)] if pieces else []
    return _in_units(sku, stocks, parts, policies, at)


class _Measured(NamedTuple):
    """What `stock` takes, of one unit: by location."""

    cells: list[Mapping[str, Any]]
    held: dict[str, int] | None
    preordered: dict[str, int]


def _by_unit(
    measured: list[Mapping[str, Any]], held: Mapping[str, int] | None, later: Mapping[str, int]
) -> dict[str, _Measured]:
    parts: dict[str, _Measured] = {}
    for row in measured:
        location_id, unit = location_and_unit(row["location_id"])
        own = parts.setdefault(unit or "", _Measured([], None if held is None else {}, {}))
        own.cells.append({**row, "location_id": location_id})
    for key, quantity in (held or {}).items():
        location_id, unit = location_and_unit(key)
        if unit in parts and (amounts := parts[unit].held) is not None:
            amounts[location_id] = quantity
    for key, quantity in later.items():
        location_id, unit = location_and_unit(key)
        if unit in parts:
            parts[unit].preordered[location_id] = quantity
    return parts


def _in_units(
    sku: str,
    stocks: list[Stock],
    parts: Mapping[str, _Measured],
    policies: Iterable[Mapping[str, Any]],
    at: int,
) -> Stock:
    """Availability in pieces, if the item is counted so, and in each of its other units."""
    limits = [in_thousandths(policy) for policy in policies]
    for unit, (rows, held, preordered) in sorted(parts.items()):
        unplaced = (held or {}).get("", 0)
        found = _stock(sku, rows, limits, at, unplaced, held, preordered)
        stocks.append(_decimal(found, unit))
    first, *others = stocks
    first.locations += [cell for one in others for cell in one.locations]
    first.other_units = [
        UnitTotals(
            unit=one.unit or "", online_atp=one.online_atp, unplaced=one.unplaced, short=one.short
        )
        for one in others
    ] or None
    return first


def _decimal(found: Stock, unit: str) -> Stock:
    """The same with its amounts, which are in thousandths of the unit, as they are shown."""
    for cell in found.locations:
        cell.unit = unit
        for name in AMOUNTS:
            setattr(cell, name, shown(getattr(cell, name), unit))
    totals = {
        name: shown(getattr(found, name), unit) for name in ("online_atp", "unplaced", "short")
    }
    return Stock(sku=found.sku, locations=found.locations, unit=unit, **totals)


def _stock(
    sku: str,
    cells: Iterable[Mapping[str, Any]],
    policies: Iterable[Mapping[str, Any]],
    at: int,
    unplaced: int,
    held: Mapping[str, int] | None,
    preordered: Mapping[str, int],
) -> Stock:
    """Availability of what is counted in one unit."""
    locations, online, threshold, whole, free, short = list[Cell](), 0, 0, 0, 0, 0
    by_location: dict[str, list[Mapping[str, Any]]] = {}
    for policy in policies:
        by_location.setdefault(policy["location_id"], []).append(policy)
    for row in cells:
        location_id = row["location_id"]
        here = by_location.get(location_id)
        policy = policy_of(here, sku, at) if here else NO_POLICY
        reserved = row.get("reserved", 0) if held is None else held.get(location_id, 0)
        on_hand, committed, unavailable = row["on_hand"], row["committed"], row["unavailable"]
        later = preordered.get(location_id, 0)
        left = on_hand - unavailable - committed - reserved + later
        available = left - policy["safety_stock"]
        shared = available - policy["store_share"]
        if shared > 0:
            online += shared
        if policy["company_threshold"] > threshold:
            threshold = policy["company_threshold"]
        sellable = available if available > 0 else 0
        whole += sellable
        missing = 0
        if left > 0:
            free += left
        else:
            missing = max(0, min(-left, committed - later + reserved))
            short += missing
        locations.append(
            Cell(
                location_id=location_id, on_hand=on_hand, committed=committed, reserved=reserved,
                unavailable=unavailable, incoming=row["incoming"], available=available,
                store_atp=sellable, short=missing, safety_stock=policy["safety_stock"],
                store_share=policy["store_share"], receiving_gap=-on_hand if on_hand < 0 else 0,
                preordered=later,
            )
        )  # fmt: skip
    if unplaced:
        for cell in locations:
            cell.store_atp = max(0, min(cell.available, whole - unplaced))
    return Stock(
        sku=sku, locations=locations, online_atp=max(0, online - threshold - unplaced),
        unplaced=unplaced, short=short + max(0, unplaced - free),
    )  # fmt: skip
