"""Debts between profiles: what one spent of another's points, while they are no longer one member.

Within one member points are shared and nothing is owed. After an unlink the spender's profile owes
the owner's what it took, until it is given back (by a return or a transfer).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Pair = tuple[Any, Any]  # the profile that spent, and the one whose lots they were


def owed(rows: Iterable[Mapping[str, Any]]) -> dict[Pair, int]:
    """Points owed, by (spender, owner), from rows of `points_across` in any order.

    A transfer repays what is owed at its time; anything beyond that is a gift.
    """
    found: dict[Pair, int] = {}
    for row in sorted(rows, key=lambda row: (row["at"], row["event_id"], row["number"])):
        pair = (row["profile_id"], row["owner_id"])
        points = found.get(pair, 0) + row["points"]
        found[pair] = max(0, points) if row["kind"] == "transferred" else points
    return {pair: points for pair, points in found.items() if points > 0}
