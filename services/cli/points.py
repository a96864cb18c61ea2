"""`hitotsu points`: judges past sales again by what is known and meant today, and tries rules."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
from rich.console import Console

from infra.backend import ProviderError
from infra.variables import variable
from services.cli.endpoints import settings

if TYPE_CHECKING:
    from services.points.background.rejudge import RejudgedBalance, RejudgeReport
    from services.runtime.config import Settings

VERBS = ("points",)
SHOWN_MAX = 50
EASTERNMOST = timedelta(hours=14)
app = typer.Typer(help="The points program.")
rules = typer.Typer(help="Rules of points programs.")
app.add_typer(rules, name="rules")


@app.callback()
def points() -> None:
    """The points program."""


@rules.callback()
def rules_of_programs() -> None:
    """Rules of points programs."""


def register(root: typer.Typer) -> None:
    """Adds the verbs to the command line."""
    root.add_typer(app, name="points")


def _day_or_time(text: str) -> date | datetime:
    """Parses `--since`; BadParameter for what is no date, names no zone, or lies ahead."""
    try:
        at: date | datetime = date.fromisoformat(text)
    except ValueError:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            raise typer.BadParameter(
                f"{text!r} is no date: write YYYY-MM-DD, or a time such as 2026-04-01T00:00:00Z",
                param_hint="--since",
            ) from None
    if isinstance(at, datetime) and at.tzinfo is None:
        raise typer.BadParameter(
            f"{text!r} names no time zone: write {text}Z or {text}+09:00", param_hint="--since"
        )
    now = datetime.now(UTC)
    # a day may have begun in the program's time zone and not yet in UTC
    ahead = at > now if isinstance(at, datetime) else at > (now + EASTERNMOST).date()
    if ahead:
        raise typer.BadParameter(
            f"{text!r} lies ahead: no sale was made since then", param_hint="--since"
        )
    return at


@app.command("rejudge")
def rejudge(
    since: Annotated[
        str,
        typer.Option(
            help="Sales made since this day (in the program's time zone) or time.",
            metavar="DATE",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would change; store nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Judge the points of past sales again, by the returns and claims that are known today.

    What differs from earlier decisions becomes events, once: a second run finds nothing.
    """
    asked = _day_or_time(since)
    config = settings()
    try:
        found = asyncio.run(_rejudged(config, asked, dry_run))
    except psycopg.OperationalError as error:
        raise ProviderError(f"Postgres: {str(error).splitlines()[0]}") from None
    if as_json:
        typer.echo(json.dumps(asdict(found), default=str, ensure_ascii=False))
    else:
        _show(found, dry_run)


@rules.command("try")
def try_rules(
    file: Annotated[
        Path, typer.Argument(help="The rules as JSON.", exists=True, dir_okay=False, readable=True)
    ],
    since: Annotated[
        str,
        typer.Option(
            help="Sales made since this day (in the rules' time zone) or time.", metavar="DATE"
        ),
    ],
    program: Annotated[
        str, typer.Option(help="The program whose members' sales are tried; else the default one.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Print what sales of the log would have earned by these rules; store nothing."""
    from services.cli.tried_rules import print_tried, tried_sales
    from services.points.program.rules import UnreadableProgramRules, read_rules

    asked = _day_or_time(since)
    try:
        read = read_rules(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file}: not UTF-8 at byte {error.start}") from None
    except UnreadableProgramRules as error:
        raise typer.BadParameter(f"{file}: {error.field}: {error.reason}") from None
    if not isinstance(asked, datetime):
        asked = datetime.combine(asked, time(), read.zone)
    try:
        sales, totals = asyncio.run(tried_sales(settings(), read, program, asked))
    except psycopg.OperationalError as error:
        raise ProviderError(f"Postgres: {str(error).splitlines()[0]}") from None
    print_tried(sales, totals, as_json)


async def _rejudged(config: Settings, asked: date | datetime, dry_run: bool) -> RejudgeReport:
    from services.points.background.rejudge import program_zone, rejudge
    from services.points.program.programs import Programs
    from services.points.program.sales import rules_earn
    from services.runtime.db import Connection, conninfo

    programs = Programs(variable("HITOTSU_DEFAULT_PROGRAM") or config.default_program)
    info = conninfo(config.postgres, group=config.group, name="hitotsu-rejudge")
    async with await psycopg.AsyncConnection.connect(info, autocommit=True) as made:
        connection: Connection = made
        await refuse_while_building(connection, config.group)
        if not await rules_earn(connection):
            raise ProviderError(
                "no program has rules that give points: tills give points and take them back, so"
                " there is no decision to judge again"
            )
        if not isinstance(asked, datetime):
            asked = datetime.combine(
                asked, time(), await program_zone(connection, programs.default)
            )
        micros = int(asked.timestamp() * 1_000_000)
        return await rejudge(connection, config.group, micros, dry_run, programs)


async def refuse_while_building(connection: Any, group: str) -> None:
    """Raises ProviderError while tables are being built: they lack events, so that sales judged by
    them would lose points.
    """
    cursor = await connection.execute(
        "select projection from hitotsu.projection_building where grp = %s order by 1", [group]
    )
    if names := [name for (name,) in await cursor.fetchall()]:
        raise ProviderError(
            f"projections are being built: {', '.join(names)}. Run it again when `hitotsu upgrade"
            " report` says that they are in use"
        )


def _show(found: RejudgeReport, dry_run: bool) -> None:
    console = Console()
    for one in found.balances[:SHOWN_MAX]:
        _show_balance(console, one)
    if len(found.balances) > SHOWN_MAX:
        _say(console, f"… and {len(found.balances) - SHOWN_MAX:,} more: --json lists all")
    events = sum(len(one.events) for one in found.balances)
    done = "would change; nothing was stored" if dry_run else "changed"
    _say(
        console,
        f"{found.sales:,} sales judged: {len(found.balances):,} balances {done}"
        f" ({events:,} events, correlation id {found.correlation_id})",
    )


def _show_balance(console: Console, one: RejudgedBalance) -> None:
    parts = (
        f"{name} {one.before[name]:,} -> {one.after[name]:,}"
        for name in one.before
        if one.before[name] != one.after[name]
    )
    _say(console, f"{one.profile_id} in {one.program}: {', '.join(parts) or 'other lots'}")
    for event in one.events:
        of = f" of sale {event.transaction_id}" if event.transaction_id else ""
        because = f": {event.reason}" if event.reason else ""
        _say(console, f"    {event.points:+,} {event.event_type} {event.event_id}{of}{because}")


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)
