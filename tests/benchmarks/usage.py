"""What did it cost? CPU seconds and memory of a process with its children, as the kernel says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import psutil

MIB = 1 << 20


def cpu_seconds(roots: Iterable[int]) -> float:
    """Of these processes and all below them, those that have ended included."""
    total = 0.0
    for process in _trees(roots):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def most_memory_mib(roots: Iterable[int]) -> float:
    """The most that any one of these processes has ever held."""
    return max((_most(process) for process in _trees(roots)), default=0.0)


def _trees(roots: Iterable[int]) -> list[psutil.Process]:
    found = []
    for root in roots:
        try:
            process = psutil.Process(root)
            found += [process, *process.children(recursive=True)]
        except psutil.Error:
            continue
    return found


def _most(process: psutil.Process) -> float:
    try:
        status = Path(f"/proc/{process.pid}/status").read_text("ascii", "replace")
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(peak[1]) / 1024 if peak else process.memory_info().rss / MIB
    except (OSError, psutil.Error):
        return 0.0
