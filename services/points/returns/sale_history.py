"""Computes from ledger entries what a purchase earned, and with which points it was paid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid5

from services.points.program.sold_lines import EarningSale
from services.points.returns.policies import Spot

Entry = Mapping[str, Any]
WHOLE = 0  # line number of points that belong to the whole sale and not to a line


def earned_by(sale: EarningSale, entries: Iterable[Entry]) -> list[tuple[Spot, int, int, int]]:
    """The sale's lots: spot, line number (or `WHOLE`), points earned, points expired in the lot."""
    earned: Counter[tuple[Spot, int]] = Counter()
    expired: Counter[Spot] = Counter()
    for entry in entries:
        spot = (entry["profile_id"], entry["lot_id"])
        if entry["kind"] == "expired":
            expired[spot] -= entry["points"]
        elif entry["kind"] == "earned" and entry["transaction_id"] == sale.transaction_id:
            earned[spot, entry["line_no"] or WHOLE] += entry["points"]
    return [(spot, line, points, expired[spot]) for (spot, line), points in sorted(earned.items())]


def paid_with(sale: EarningSale, entries: Sequence[Entry]) -> tuple[dict[Spot, int], int, int]:
    """Returns (points taken and not given back, by lot; the same from no known lot; points that
    were given back).
    """
    own = [entry for entry in entries if entry["transaction_id"] == sale.transaction_id]
    spent: Counter[Spot] = Counter()
    drawn = given = 0
    for entry in own:
        if entry["kind"] == "redeemed" and entry["lot_id"] is None:
            drawn -= entry["points"]
        elif entry["kind"] == "redeemed":
            spent[entry["profile_id"], entry["lot_id"]] -= entry["points"]
    redeemed = list(spent)
    for entry in own:
        if entry["kind"] == "reinstated":
            given += entry["points"]
            spot = _origin(entry, redeemed)
            if spot is None:
                drawn -= entry["points"]
            else:
                spent[spot] -= entry["points"]
    return {spot: left for spot, left in spent.items() if left > 0}, max(0, drawn), given


def _origin(entry: Entry, spent: Iterable[Spot]) -> Spot | None:
    """The lot of `spent` to which the entry gave points back; None if it names no such lot.

    The id of a grace lot derives from the lot that it replaces.
    """
    spot = (entry["profile_id"], entry["lot_id"])
    for one in spent:
        if spot in (one, (one[0], uuid5(entry["event_id"], one[1].hex))):
            return one
    return None
