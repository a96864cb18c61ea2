"""How are waits told? Half of them within p50, all but one in a hundred within p99."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

HEAD = ("", "p50 ms", "p99 ms", "wanted", "of")


def waits(milliseconds: Sequence[float]) -> dict[str, float]:
    """Percentiles, the worst, and how many there were."""
    ordered = sorted(milliseconds)
    return {
        "p50": round(_at(ordered, 0.50), 2), "p99": round(_at(ordered, 0.99), 2),
        "worst": round(ordered[-1], 2), "many": len(ordered),
    }  # fmt: skip


def rows(report: dict[str, Any]) -> list[list[str]]:
    """A line for each figure."""
    lines = [
        _line(f"accepted → visible in {name}", report[key], "100 and 300")
        for name, key in (("Postgres", "postgres"), ("Redis", "redis"))
    ]
    names = {
        "balance": "read: balance of a member", "stock": "read: stock of an item",
        "filter": "read: filter of 100 candidates",
    }  # fmt: skip
    lines += [_line(name, report["reads"][kind], "p99 20") for kind, name in names.items()]
    gateway = report["gateway"]
    lines.append(_line("gateway: a single event", gateway["single"], "p99 30"))
    lines.append(_line("gateway: a batch of 500", gateway["batch"], ""))
    rate = f"{gateway['events_per_second']:,} events/s"
    return [*lines, ["gateway: batches of 500, one process", rate, "", "8,000 events/s", ""]]


def _line(name: str, found: dict[str, float], wanted: str) -> list[str]:
    return [name, f"{found['p50']:.1f}", f"{found['p99']:.1f}", wanted, f"{found['many']:,}"]


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
