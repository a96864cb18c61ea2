"""Progress bars with events per second."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<15}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:>16}"),
        TimeElapsedColumn(),
        console=console,
    )


class Lane:
    """One progress bar; its label shows counted events (or another unit) per second."""

    def __init__(self, progress: Progress, name: str, size: int, unit: str = "events") -> None:
        self._progress = progress
        self._unit = unit
        self._counted = 0
        self._began = time.monotonic()
        self._task = progress.add_task(name, total=size, rate="")

    def moved(self, steps: int, counted: int = 0) -> None:
        """Advances the bar by `steps`, and the count by `counted`."""
        self._counted += counted
        self._progress.update(self._task, advance=steps, rate=self._rate())

    def done(self) -> None:
        self._progress.update(self._task, rate=self._rate())
        self._progress.stop_task(self._task)

    def _rate(self) -> str:
        if not self._counted:
            return ""
        seconds = max(time.monotonic() - self._began, 0.001)
        return f"{self._counted / seconds:,.0f} {self._unit}/s"
