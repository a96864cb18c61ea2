"""Balances: what was earned and what became of it, per profile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Signs = {
    # name: (sign of the balance, sign of redeemed, sign of taken back)
    "PointsRedeemed": (-1, 1, 0),
    "PointsReversed": (-1, 0, 1),
    "PointsReinstated": (1, -1, 0),
    "PointsTransferred": (-1, 0, 0),
}


def tables(events: list[Any]) -> dict[str, Iterable[tuple[Any, ...]]]:
    return {"point_balance": list(_balances(events))}


def _balances(events: list[Any]) -> Iterator[tuple[Any, ...]]:
    rows: dict[bytes, list[Any]] = {}

    def move(profile: bytes, at: int | None, balance: int, **more: int) -> None:
        row = rows.setdefault(profile, [0, 0, 0, 0, None])
        row[0] += balance
        for index, name in enumerate(("earned", "redeemed", "taken_back"), 1):
            row[index] += more.get(name, 0)
        if at is not None:
            row[4] = at if row[4] is None else max(row[4], at)

    for _, name, event in events:
        if not name.startswith("Points"):
            continue
        at, profile = event["meta"]["occurred_at"], event["profile_id"]
        if name == "PointsEarned":
            points = sum(lot["points"] for lot in event["lots"])
            move(profile, at, points, earned=points)
        elif name == "PointsAdjusted":
            move(profile, at, event["points"])
        elif name == "PointsExpired":
            move(profile, None, -event["points"])
        else:
            balance, redeemed, back = Signs[name]
            named = [(one["profile_id"], one["points"]) for one in event["allocations"]]
            rest = event["points"] - sum(points for _, points in named)
            for owner, points in [*named, *([(profile, rest)] if rest else [])]:
                move(
                    owner,
                    at,
                    balance * points,
                    redeemed=redeemed * points,
                    taken_back=back * points,
                )
            if name == "PointsTransferred":
                move(event["to_profile_id"], at, event["points"])
    for profile, row in rows.items():
        yield (profile, *row)
