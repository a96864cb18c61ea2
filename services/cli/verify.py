"""`hitotsu verify`: compares Postgres and Redis with a recomputation from the log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from services.cli.progress import requested_projections, steps

if TYPE_CHECKING:
    from services.verify.report import Difference, VerifyReport

VERBS = ("verify",)
SHOWN_MAX = 100


def register(app: typer.Typer) -> None:
    """Adds the verb to the command line."""
    app.command()(verify)


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
            help="Projections, or a set (`stock`, `points`), which adds its invariants.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Recompute projections from the log and compare them with Postgres and Redis.

    Exits with 1 if they differ.
    """
    from services.invariants.catalogue import INVARIANTS, SETS
    from services.verify.log import LogUnreadable
    from services.verify.run import CannotVerify, Verification

    named = [each for name in names or () for each in SETS.get(name, (name,))]
    about = {name for name in names or () if name in SETS}
    invariants = tuple(one for one in INVARIANTS if one.about in about)
    work = Verification(*requested_projections(named), invariants)
    with steps(CannotVerify, LogUnreadable) as moved:
        report = work.run(moved)
    if as_json:
        typer.echo(json.dumps(report.plain(), ensure_ascii=False))
    else:
        _show(report)
    if report.total:
        raise typer.Exit(1)


def _show(report: VerifyReport) -> None:
    console = Console()
    for one in report.differences[:SHOWN_MAX]:
        _show_one(console, one)
    if report.total > min(SHOWN_MAX, len(report.differences)):
        console.print(f"… and {report.total - min(SHOWN_MAX, len(report.differences))} more")
    rows, fields = sum(report.rows.values()), sum(report.fields.values())
    for name, many in report.tested.items():
        broken = report.counted[f"invariant {name}"]
        console.print(f"{name}: {many:,} keys tested, {broken:,} violate it")
    console.print(
        f"{report.events:,} records folded, {rows:,} rows of {len(report.rows)} tables and"
        f" {fields:,} fields of Redis compared in {report.seconds:.1f} s:"
        f" {report.total:,} differences",
        style="red" if report.total else "green",
    )
    if report.mends:
        many = report.counted["engine verdict"]
        console.print(
            f"{many:,} records have a wrong verdict, named by place and id above"
            if many
            else "the event ledger, dead letters or counts of the group are wrong",
            f": `{report.mends}` judges the whole log again and corrects verdicts, rows and counts",
            sep="", soft_wrap=True, markup=False,
        )  # fmt: skip


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
    """(column, expected, found) of the differing columns; one line if a row does not exist."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [
            (name, str(expected.get(name)), str(found.get(name)))
            for name in expected.keys() | found.keys()
            if expected.get(name) != found.get(name)
        ]
    return [("", "nothing" if expected is None else str(expected), str(found or "nothing"))]
