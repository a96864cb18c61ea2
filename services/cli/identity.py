"""`hitotsu identity estimate | replay | cases`: match rules, their replay, and open review
cases.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import psycopg
import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from infra.backend import ProviderError
from services.cli.endpoints import settings
from services.cli.progress import steps
from services.runtime.logging import configure
from services.runtime.producer import KafkaAway

if TYPE_CHECKING:
    from projections.member.rules import MatchRules

VERBS = ("identity",)
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
app = typer.Typer(help="Record linkage: estimates rules, replays them, lists review cases.")


def register(root: typer.Typer) -> None:
    """Adds the verbs to the command line."""
    root.add_typer(app, name="identity")


@app.command()
def estimate(
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("rules.json"),
    version: Annotated[
        str | None, typer.Option(help="Name of the version. [default: the time]")
    ] = None,
) -> None:
    """Estimate a match model from all profiles, and write match rules that contain it."""
    from services.identity.replay.estimation import estimated
    from services.identity.replay.run import CannotReplay

    configure("identity", "warning")
    named = version or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    with steps(CannotReplay) as moved:
        rules = asyncio.run(estimated(settings(), named, moved))
    out.write_text(rules.model_dump_json(by_alias=True, indent=1) + "\n", "utf-8")
    typer.echo(f"{out}: rules {named}; see what they change by `hitotsu identity replay`")


@app.command()
def replay(
    rules: Annotated[Path, typer.Option(help="A file that `estimate` wrote.")],
    switch: Annotated[bool, typer.Option("--switch", help="Then put the rules in force.")] = False,
    as_json: AsJson = False,
) -> None:
    """Group all profiles under other rules in memory, and list the members that would split or
    join.
    """
    from services.identity.replay import report
    from services.identity.replay.run import CannotReplay
    from services.identity.replay.run import replay as run

    configure("identity", "warning")
    read = _read(rules)
    try:
        with steps(CannotReplay) as moved:
            found = asyncio.run(run(settings(), read, switch, moved))
    except (KafkaAway, KafkaError) as error:
        reason = type(error).__name__
        raise ProviderError(f"Kafka does not answer ({reason}): try again when it does") from None
    if as_json:
        typer.echo(json.dumps(report.plain(found)))
        return
    for line in report.lines(found):
        typer.echo(line)


@app.command()
def cases(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number to list.")] = 50,
    closed: Annotated[bool, typer.Option("--closed", help="List decided cases instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """List open review cases: pairs by descending weight, then conflicts and quarantines."""
    from services.identity.review.queue import listed

    try:
        found = asyncio.run(listed(settings(), "closed" if closed else "open", limit))
    except psycopg.OperationalError as error:
        raise ProviderError(f"Postgres: {str(error).splitlines()[0]}") from None
    if as_json:
        typer.echo(json.dumps(found, default=str, ensure_ascii=False))
        return
    table = Table("case", "kind", "profiles", "weight", "evidence", "outcome")
    for one in found:
        weight = f"{one['weight']:.1f}" if "weight" in one else ""
        table.add_row(
            str(one["case_id"]), one["kind"], "\n".join(map(str, one["profile_ids"])), weight,
            ", ".join(one.get("evidence", ())), one.get("outcome") or "",
        )  # fmt: skip
    Console().print(table if found else "nothing to decide")


def _read(path: Path) -> MatchRules:
    from projections.member.rules import UnreadableMatchRules, read_rules

    try:
        found: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ProviderError(f"{path}: {error}") from None
    version = found.pop("version", None) if isinstance(found, dict) else None
    if not isinstance(version, str) or not version:
        raise ProviderError(f"{path}: version: must be a text that is not empty")
    try:
        return read_rules(version, json.dumps(found))
    except UnreadableMatchRules as error:
        raise ProviderError(f"{path}: {error}") from None
