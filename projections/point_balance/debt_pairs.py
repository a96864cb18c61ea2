"""Computes debts between profiles that were one member and are not any more.

The profiles of a member share their points and owe each other nothing. After an unlink a profile
owes what it had spent of another profile's lots, until that is given back by a return or transfer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Pair = tuple[Any, Any]  # (profile that spent the points, profile that owned the lots)


def owed(rows: Iterable[Mapping[str, Any]]) -> dict[Pair, int]:
    """Points owed by (spender, owner), from rows of `points_across` in any order.

    A transfer repays what is owed at its time; points beyond that are a gift.
    """
    found: dict[Pair, int] = {}
    for row in sorted(rows, key=lambda row: (row["at"], row["event_id"], row["number"])):
        pair = (row["profile_id"], row["owner_id"])
        points = found.get(pair, 0) + row["points"]
        found[pair] = max(0, points) if row["kind"] == "transferred" else points
    return {pair: points for pair, points in found.items() if points > 0}
