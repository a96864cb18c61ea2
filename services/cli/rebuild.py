"""`hitotsu rebuild`: folds every projection anew from the log, compares, and swaps."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.cli.surroundings import settings


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(rebuild)


def rebuild(
    group: Annotated[str, typer.Option(help="The group to fold anew.")] = "main",
) -> None:
    """Fold all projections of a group from offset 0 beside the live ones, compare, swap."""
    # Faust takes a second to import, which no other verb should pay
    from projections import discover
    from projections.core.fold import Group
    from services.projector.rebuild import Rebuild

    work = Rebuild(settings(), Group(group, [one for one in discover() if one.group == group]))
    columns = (TextColumn("events"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("events", total=None)
        report = asyncio.run(
            work.run(lambda done, all_: bar.update(task, completed=done, total=all_))
        )
    table = Table("table", "rows that differed")
    for name, differing in sorted(report.differences.items()):
        table.add_row(name, str(differing))
    Console().print(table, f"{report.events} events folded; the new tables are live")
