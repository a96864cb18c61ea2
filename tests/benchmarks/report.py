"""How are the figures shown? As a table on the terminal, and as Markdown for the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.rounds import ENTRANTS, RIVALS
from tests.benchmarks.servers import ROOT

FOLDER = ROOT / "var" / "bench"
NAMES = {
    "ours": "**Hitotsu**, two projectors",
    "faust_event": "Faust, a transaction an event",
    "faust_take": "Faust, `take(1000)`",
    "loop": "aiokafka loop, batches of 5,000",
    "bytewax": "Bytewax, own sink, batches of 5,000",
    "limit_consume": "limit: consume",
    "limit_decode": "limit: consume and decode",
    "limit_copy": "limit: consume, decode, COPY",
}
HEAD = ("", "events/s", "lowest to highest", "ours is", "CPU s a million: own + Postgres")


def keep(report: dict[str, Any], name: str) -> Path:
    """Writes a report below `var/bench`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return path


def table(report: dict[str, Any], workload: str) -> list[list[str]]:
    """One workload: an entrant a line."""
    rates, lines = report[workload], []
    for entrant in (each for each in ENTRANTS if each in rates):
        low, high = report["spread"][workload][entrant]
        cost = report["cpu"][workload][entrant]
        ratio = report["ratios"].get(workload, {}).get(entrant)
        lines.append(
            [
                NAMES[entrant], f"{rates[entrant]:,}", f"{low:,} to {high:,}",
                f"{ratio:.1f} ×" if entrant in RIVALS and ratio else "",
                f"{cost['own']:.1f} + {cost['postgres']:.1f}",
            ]
        )  # fmt: skip
        if entrant == "ours":
            lines.append(["… until Redis has them too", f"{rates['ours_in_redis']:,}", "", "", ""])
    return lines


def plain(report: dict[str, Any]) -> str:
    """For the terminal."""
    parts = [_machine(report)]
    for workload in ("w1", "w2"):
        if workload in report:
            rows = [list(HEAD), *table(report, workload)]
            widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
            parts += ["", f"{workload.upper()}, {report['keys']} keys, {report['tables']} tables"]
            parts += [_aligned(row, widths) for row in rows]
    return "\n".join([*parts, "", f"most memory of one projector: {report['rss_mib']} MiB"])


def markdown(report: dict[str, Any]) -> str:
    """For the page."""
    parts = [_machine(report)]
    for workload in ("w1", "w2"):
        if workload in report:
            title = f"{workload.upper()}: {report['keys']} keys, {report['tables']} tables"
            parts.append(f"\n{title}\n\n" + as_markdown(HEAD, table(report, workload)))
    return "\n".join([*parts, f"\nMost memory of one projector: {report['rss_mib']} MiB."])


def as_markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [list(head), ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def everything() -> str:
    """All reports kept, as Markdown."""
    from tests.benchmarks import commanding, rebuilding
    from tests.benchmarks.freshness import figures
    from tests.benchmarks.linkage import arriving, ready
    from tests.benchmarks.linkage import measuring as linking

    parts = []
    for path in sorted(FOLDER.glob("report*.json")):
        if "quick" not in path.stem:
            parts.append(markdown(json.loads(path.read_text("utf-8"))))
    fresh = FOLDER / "freshness.json"
    if fresh.exists():
        found = json.loads(fresh.read_text("utf-8"))
        parts.append(as_markdown(figures.HEAD, figures.rows(found)))
    others = {
        "rebuild": rebuilding,
        "commands": commanding,
        "linkage": linking,
        "matching": arriving,
        "matching-process": ready,
    }
    for name, shown in others.items():
        kept = FOLDER / f"{name}.json"
        if kept.exists():
            parts.append(as_markdown(shown.HEAD, shown.rows(json.loads(kept.read_text("utf-8")))))
    return "\n\n".join(parts) if parts else "Nothing was measured yet: run `make bench`."


def _machine(report: dict[str, Any]) -> str:
    machine = report["machine"]
    servers = " · ".join(
        f"{name.capitalize()} {machine[name]}" for name in ("kafka", "postgres", "redis")
        if machine.get(name)
    )  # fmt: skip
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gib']} GiB,"
        f" {machine['system']}, Python {machine['python']} · {servers} ·"
        f" {report['events']:,} events, {report['rounds']} rounds, median"
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (cell.replace("**", "") for cell in row)
    return f"{first:<{widths[0]}}  " + "  ".join(
        f"{cell:>{width}}" for cell, width in zip(others, widths[1:])
    )
