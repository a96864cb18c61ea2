"""`hitotsu rebuild`: folds projections from the log again, compares, and swaps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from infra.backend import ProviderError
from services.cli.progress import requested_projections, steps

if TYPE_CHECKING:
    from services.rebuild.run import RebuildReport, VerdictChanges

VERBS = ("rebuild",)
SHOWN_MAX = 50


def register(app: typer.Typer) -> None:
    """Adds the verb to the command line."""
    app.command()(rebuild)


def rebuild(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Projections. [default: all]")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Do not resume an interrupted rebuild.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Compare only; swap nothing.")] = False,
    rejudge: Annotated[
        bool,
        typer.Option("--rejudge", help="Also recompute every record's verdict; without NAME."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Fold projections from offset 0 beside the live tables, compare, and swap them in.

    Projections that derive from each other's documents are folded together with NAME. With
    `--check`, exits with 1 if rows or verdicts differ.
    """
    from services.rebuild.fold import CannotRebuild
    from services.rebuild.rejudge import Rejudge
    from services.rebuild.run import Rebuild
    from services.rebuild.shadow import UnderWay
    from services.verify.log import LogUnreadable

    if rejudge and names:
        raise ProviderError(
            "--rejudge folds all projections of the group, which share their verdicts: omit the"
            f" names ({', '.join(names)})"
        )
    work = (
        Rejudge(*requested_projections(None)[:2])
        if rejudge
        else Rebuild(*requested_projections(names))
    )
    with steps(CannotRebuild, UnderWay, LogUnreadable) as moved:
        report = work.run(fresh, check, moved)
    if as_json:
        typer.echo(json.dumps(report.plain(), ensure_ascii=False))
    else:
        _show(report)
    if check and (report.total or (report.verdicts and report.verdicts.ids)):
        raise typer.Exit(1)


def _show(report: RebuildReport) -> None:
    console = Console()
    for one in report.differences[:SHOWN_MAX]:
        console.print(f"{one['table']} {' | '.join(one['key'])}", soft_wrap=True, markup=False)
        for name, expected, found in _cells(one["expected"], one["found"]):
            console.print(f"    {name}: {expected}, was {found}", soft_wrap=True, markup=False)
    if report.total > SHOWN_MAX:
        console.print(f"… and {report.total - SHOWN_MAX} more")
    table = Table("table", "rows that differed")
    for name, differing in sorted(report.rows.items()):
        table.add_row(name, f"{differing:,}")
    for name in report.new_tables:
        table.add_row(name, "no such table before")
    console.print(table)
    if report.verdicts is not None:
        _show_verdicts(console, report.verdicts)
    how = "resumed an interrupted rebuild, " if report.resumed else ""
    what = f"the new tables are live; the projectors waited {report.held_seconds:.2f} s"
    console.print(
        f"{how}{report.events:,} records folded in {report.seconds:.1f} s"
        f" ({report.events_per_second:,.0f}/s); {what if report.swapped else 'nothing was swapped'}"
    )


def _show_verdicts(console: Console, changes: VerdictChanges) -> None:
    for moved in changes.moved[:SHOWN_MAX]:
        now, was = (
            f"applied at {at}" if at else "not applied" for at in (moved["applied"], moved["was"])
        )
        console.print(f"{moved['event_id']}: now {now}, before {was}", soft_wrap=True)
    if changes.ids > SHOWN_MAX:
        console.print(f"… and {changes.ids - SHOWN_MAX} more")
    console.print(
        f"{changes.ids:,} event ids with another verdict, {changes.letters_withdrawn:,} wrong dead"
        f" letters withdrawn, {changes.letters_added:,} missing ones added,"
        f" {changes.holds_ended:,} holds ended by their event",
        soft_wrap=True,
    )


def _cells(expected: Any, found: Any) -> list[tuple[str, Any, Any]]:
    if expected is None or found is None:
        return [("row", expected or "none", found or "none")]
    return [
        (name, expected[name], found[name]) for name in expected if expected[name] != found[name]
    ]
