"""How many units are there where zones of a store are counted by themselves?

Told as piles of units: one for each zone that was counted, and one for those of which nobody knows
in which zone they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """Units seen at a time, in a zone or (None) in the whole store."""

    at: int
    units: int
    zone: str | None


def selling_zones(described: list[Any]) -> Iterator[Row]:
    """From when on which zone is sold from; of one time, as it was said last."""
    said: dict[tuple[str, int], list[tuple[int, str]]] = defaultdict(list)
    for event in described:
        # a description of before zones were told has no such field
        if (zone := event.get("selling_zone")) is not None:
            key = (event["location_id"], event["valid_from"])
            said[key].append((event["meta"]["occurred_at"], zone))
    for (location, valid_from), versions in said.items():
        yield (location, valid_from, *max(versions))


def on_hand(counts: list[Count], moves: list[tuple[int, int]], zones: list[tuple[int, str]]) -> int:
    """Units there; `moves`: when and how many, `zones`: those sold from, by the time from which.

    A count sees what moved before it; what moves at its very time comes on top of it.
    """
    whole = max((one for one in counts if one.zone is None), key=_order, default=None)
    later = [one for one in counts if one.zone and (whole is None or one.at > whole.at)]
    begun = whole.at if whole else None
    piles: dict[str, int] = {}
    elsewhere = whole.units if whole else 0
    seller = _seller(later, zones)
    steps = [(one.at, 0, one.zone or "", one.units) for one in later]
    steps += [(at, 1, "", units) for at, units in moves if begun is None or at >= begun]
    # of several counts of a zone at one time the greatest holds
    greatest = {step[:3]: step for step in sorted(steps) if step[1] == 0}
    for _, moved, zone, units in sorted([*greatest.values(), *(step for step in steps if step[1])]):
        if moved and seller in piles:
            piles[seller] += units
        elif moved:
            elsewhere += units
        else:
            more = units - piles.get(zone, 0)
            # units of which nobody knew where they are explain what a zone has more, and such
            # as left and nobody knew from where explain what it has less
            explained = min(more, max(0, elsewhere)) if more > 0 else max(more, min(0, elsewhere))
            elsewhere -= explained
            piles[zone] = units
    # with the zone that is sold from every unit is in some zone
    return sum(piles.values()) + (0 if seller in piles else elsewhere)


def _seller(counts: list[Count], zones: list[tuple[int, str]]) -> str:
    """Where the store sells from, as it was described when the newest count was taken."""
    newest = max((one.at for one in counts), default=None)
    begun = [one for one in zones if newest is not None and one[0] <= newest]
    return max(begun)[1] if begun else ""


def _order(count: Count) -> tuple[int, int]:
    return count.at, count.units
