"""`hitotsu verify`: is what Postgres and Redis hold what the log says?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from infra.backend import ProviderError
from services.cli.surroundings import settings

if TYPE_CHECKING:
    from services.verify.report import Difference, Report

SHOWN_MAX = 100


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(verify)


def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Projections; all of them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Recompute projections from the log and compare them with Postgres and Redis."""
    from projections import discover
    from services.verify.log import LogUnreadable
    from services.verify.run import CannotVerify, Verification

    config = settings()
    declared = [one for one in discover() if one.group == config.group]
    chosen = checked_names(names, [one.name for one in declared])
    console = Console(stderr=True)
    work = Verification(config, declared, chosen)
    try:
        with Progress(*COLUMNS, console=console, disable=not console.is_terminal) as bar:
            report = work.run(steps(bar))
    except (CannotVerify, LogUnreadable) as error:
        raise ProviderError(str(error)) from None
    except psycopg.OperationalError as error:
        raise ProviderError(f"Postgres: {str(error).splitlines()[0]}") from None
    if as_json:
        typer.echo(json.dumps(report.plain(), ensure_ascii=False))
    else:
        _show(report)
    if report.total:
        raise typer.Exit(1)


COLUMNS = (
    TextColumn("{task.description:<18}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("events"),
    TimeElapsedColumn(),
)


def steps(bar: Progress) -> Callable[[str, int, int], None]:
    """One bar for each step, drawn when it begins."""
    tasks: dict[str, Any] = {}

    def moved(step: str, done: int, whole: int) -> None:
        if step not in tasks:
            tasks[step] = bar.add_task(step, total=whole)
        bar.update(tasks[step], completed=done, total=whole)

    return moved


def checked_names(names: list[str] | None, known: list[str]) -> list[str]:
    """The projections asked for; all of them when none was named."""
    for name in names or ():
        if name not in known:
            raise ProviderError(f"there is no projection {name!r}; there are {', '.join(known)}")
    return sorted(set(names)) if names else known


def _show(report: Report) -> None:
    console = Console()
    for one in report.differences[:SHOWN_MAX]:
        _show_one(console, one)
    if report.total > min(SHOWN_MAX, len(report.differences)):
        console.print(f"… and {report.total - min(SHOWN_MAX, len(report.differences))} more")
    rows, fields = sum(report.rows.values()), sum(report.fields.values())
    console.print(
        f"{report.events:,} records folded, {rows:,} rows of {len(report.rows)} tables and"
        f" {fields:,} fields of Redis compared in {report.seconds:.1f} s:"
        f" {report.total:,} differences",
        style="red" if report.total else "green",
    )


def _show_one(console: Console, one: Difference) -> None:
    key = " | ".join(one.key)
    console.print(f"{one.where}: {one.table} {key}", style="bold", soft_wrap=True, markup=False)
    table = Table()
    for column in ("column", "expected", "found"):
        table.add_column(column, overflow="fold")
    for name, expected, found in _cells(one.expected, one.found):
        table.add_row(name, expected, found)
    console.print(table)
    for event in one.events:
        console.print(f"  {event.event} {event.event_id} at {event.place}", soft_wrap=True)


def _cells(expected: Any, found: Any) -> list[tuple[str, str, str]]:
    """Column by column where both are rows, and only what differs."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            (name, str(expected.get(name)), str(found.get(name)))
            for name in expected.keys() | found.keys()
            if expected.get(name) != found.get(name)
        ]
    return [("", "nothing" if expected is None else str(expected), str(found or "nothing"))]
