"""`hitotsu upgrade report`: what the upgrade from an older release changed in answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from infra.backend import ProviderError
from services.cli.endpoints import settings

if TYPE_CHECKING:
    from services.rebuild.upgrade_report import ComparedAnswers, UpgradeReport

VERBS = ("upgrade",)
SHOWN_MAX = 50
# every other reason is a kind of discrepancy, in the words of `GET /v1/discrepancies`
REASONS = {
    "return_found_sale": "a return or void that names a sale corrects it, whoever sent it",
    "told_twice": "a sale that was told under two event ids counts once",
    "order_life": "an order's units are committed when placed and leave when handed over",
    "transfer": "units of a transfer arrive up to what was shipped",
    "second_claim": "the first claim of a guest's sale keeps it",
    "time_put_right": "the event's clock was wrong: it counts at its corrected time",
    "missing": "the log has this entry, and the table does not",
    "surplus": "the table has this entry, and the log does not give it",
    "unknown": "no document is known to be responsible",
    "other": "the document counts otherwise than before",
}
app = typer.Typer(help="What the upgrade from an older release changed.")


@app.callback()
def upgrade() -> None:
    """What the upgrade from an older release changed."""


def register(root: typer.Typer) -> None:
    """Adds the verbs to the command line."""
    root.add_typer(app, name="upgrade")


@app.command("report")
def report(
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs: all that is kept.")
    ] = False,
) -> None:
    """Show the answers that the newest upgrade changed, with the documents responsible.

    Status 1: balances, which an upgrade does not build anew, differ from the log; or answers of
    some kind could not be compared.
    """
    from services.rebuild.upgrade_report import newest_report

    config = settings()
    try:
        found = newest_report(config.postgres, config.group)
    except psycopg.errors.UndefinedTable:
        raise ProviderError("the tables are those of an older release: run `hitotsu up`") from None
    except psycopg.OperationalError as error:
        raise ProviderError(f"Postgres: {str(error).splitlines()[0]}") from None
    if as_json:
        typer.echo(json.dumps(found and found.plain(), ensure_ascii=False))
    elif found is None:
        typer.echo("no upgrade is on record: this stack began with its present tables")
    else:
        _show(found)
    if found is not None and (found.contradicts_the_log or found.incomplete):
        raise typer.Exit(1)


def _show(found: UpgradeReport) -> None:
    console = Console()
    names = ", ".join(found.projections)
    if found.finished_at is None:
        _say(console, f"under way since {found.began_at:%F %T}: {names} are being built anew")
        return
    _say(console, f"built anew: {names}; in use since {found.finished_at:%F %T}")
    if found.answers is None:
        _say(console, "`hitotsu rebuild` replaced the tables, so nothing was compared with them")
        return
    for change in found.changes[:SHOWN_MAX]:
        _show_change(console, change)
    if len(found.changes) > SHOWN_MAX:
        more = len(found.changes) - SHOWN_MAX
        _say(console, f"… and {more:,} more: `hitotsu upgrade report --json` has them")
    table = Table("answers", "compared", "changed", "listed")
    for name, one in found.answers.items():
        changed = one.changed if one.replaced else 0
        table.add_row(name, f"{one.compared:,}", f"{changed:,}", f"{one.listed:,}")
    console.print(table)
    reasons = sorted({reason for one in found.answers.values() for reason in one.reasons})
    for reason in reasons:
        said = REASONS.get(reason, "a discrepancy, listed by GET /v1/discrepancies")
        _say(console, f"{reason}: {said}")
    for name, one in found.answers.items():
        if one.failed is not None:
            _say(console, f"{name}: not compared: {one.failed}")
        elif not one.replaced:
            _show_kept(console, name, one)
    for name, events in found.old_times.items():
        _say(
            console,
            f"{name}: rows of {events:,} events keep the times that wrong clocks told, until"
            f" `hitotsu rebuild {name}`",
        )


def _show_kept(console: Console, name: str, one: ComparedAnswers) -> None:
    """Says of answers whose tables were left alone whether the log gives the same."""
    if one.contradicts_the_log:
        wrong = one.changed - one.only_times
        console.print(
            f"WRONG: {wrong:,} of {one.compared:,} {name} are not those that the log gives. The"
            f" upgrade left them as they were: run `hitotsu verify {one.projection}`",
            style="bold red", soft_wrap=True, markup=False,
        )  # fmt: skip
        return
    _say(console, f"{name}: all {one.compared:,} are as before")
    if one.only_times:
        _say(console, f"{name}: {one.only_times:,} of them change once their times are put right")


def _show_change(console: Console, change: dict[str, Any]) -> None:
    key = " ".join(f"{name}={value}" for name, value in change["key"].items())
    _say(console, f"{change['answer']} {key}")
    for side in ("before", "after"):
        _say(console, f"    {side}: {json.dumps(change[side], ensure_ascii=False)}")
    for one in change["documents"]:
        _say(console, f"    {one['reason']}: {one['event_type'] or 'event'} {one['event_id']}")
    if (more := change["documents_total"] - len(change["documents"])) > 0:
        _say(console, f"    … and {more:,} documents more")


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)
