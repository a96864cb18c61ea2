"""`hitotsu dead-letters list | show | retry | drop`: inspects and resolves dead letters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal, TypeVar

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from infra.backend import ProviderError
from projections import of_group
from projections.core.fold import Group
from schemas.topics import TOPICS
from services.cli.endpoints import settings
from services.projector import dead_letters
from services.runtime.config import Settings
from services.runtime.db import conninfo
from services.runtime.groups import LIVE
from services.runtime.producer import KafkaAway, Producer

VERBS = ("dead-letters",)
T = TypeVar("T")
Ids = Annotated[list[int], typer.Argument(help="Ids, as shown by `list`.", min=1)]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Status = Literal["open", "retried", "dropped", "all"]
Stage = Literal["decode", "conflict", "apply", "store"]
app = typer.Typer(help="List, show, retry or drop records that could not be applied.")


def register(root: typer.Typer) -> None:
    """Adds the verbs to the command line."""
    root.add_typer(app, name="dead-letters")


def _topic(name: str | None) -> str | None:
    """Checks the topic's name: a mistyped topic would seem to have no dead letters."""
    if name is not None and name not in TOPICS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, TOPICS))}")
    return name


@app.command("list")
def show_all(
    status: Annotated[Status, typer.Option(help="Which state they are in.")] = "open",
    stage: Annotated[Stage | None, typer.Option(help="The step that failed.")] = None,
    topic: Annotated[
        str | None, typer.Option(help="Such as commerce.purchases.", callback=_topic)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Maximum number to list.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first."""
    wanted = None if status == "all" else status
    found = _run(lambda connection, _: dead_letters.listed(connection, wanted, stage, topic, limit))
    if as_json:
        typer.echo(json.dumps([_plain(letter) for letter in found], ensure_ascii=False))
        return
    table = Table("id", "record", "of", "stage", "reason", "status", "seen")
    for letter in found:
        place = f"{letter.topic}-{letter.partition} @ {letter.offset}"
        seen = f"{letter.seen_at:%F %T}"
        of, decided = ", ".join(letter.grps), letter.status
        table.add_row(str(letter.id), place, of, letter.stage, letter.reason, decided, seen)
    Console().print(table if found else "no dead letters")


@app.command("show")
def show_one(
    letter_id: Annotated[int, typer.Argument(help="Id, as shown by `list`.")],
    as_json: AsJson = False,
) -> None:
    """Show one dead letter completely: its offset, reason, key, headers and bytes."""
    letter = _run(lambda connection, _: dead_letters.one(connection, letter_id))
    if letter is None:
        raise ProviderError(f"there is no dead letter {letter_id}")
    shown = _plain(letter)
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False))
        return
    table = Table(show_header=False, box=None)
    for name, value in shown.items():
        table.add_row(name, str(value))
    Console().print(table)


@app.command("retry")
def retry(
    ids: Ids, force: Annotated[bool, typer.Option(help="Send even if a dry run fails.")] = False
) -> None:
    """Append the open dead letters' records to their topics again, with the same event ids.

    Exits with 1 if a record was not sent, for example because a dry run of it fails.
    """
    group = Group(LIVE, of_group(LIVE, LIVE))

    async def again(connection: dead_letters.Connection, config: Settings) -> list[tuple[int, str]]:
        producer = Producer(config.kafka, "hitotsu-dead-letters", timeout=10.0)
        await producer.start()
        try:
            return [(i, await _again(connection, producer, group, i, force)) for i in ids]
        finally:
            await producer.stop()

    told = _run(again)
    for letter_id, what in told:
        typer.echo(f"{letter_id}: {what}")
    if any(what.startswith("not sent") for _, what in told):
        raise typer.Exit(1)


async def _again(
    connection: dead_letters.Connection,
    producer: Producer,
    group: Group,
    letter_id: int,
    force: bool,
) -> str:
    letter = await dead_letters.one(connection, letter_id)
    if letter is None:
        return "not sent: there is no dead letter with this id"
    if letter.status != "open":
        return f"not sent: it is already {letter.status}"
    try:
        dead_letters.dry_run(letter, group)
    except dead_letters.CannotRetry as error:
        if not force:
            return f"not sent: {error}"
    return f"sent again, now {await dead_letters.send_again(connection, producer, letter)}"


@app.command("drop")
def drop(
    ids: Ids, reason: Annotated[str, typer.Option(help="Why; stored with the dead letter.")]
) -> None:
    """Mark open dead letters as dropped, with a reason: they stay stored and are not applied."""

    async def dropped(connection: dead_letters.Connection, _: Settings) -> list[bool]:
        return [await dead_letters.resolve(connection, i, "dropped", reason) for i in ids]

    outcomes = _run(dropped)
    for letter_id, done in zip(ids, outcomes, strict=True):
        typer.echo(
            f"{letter_id}: {'dropped' if done else 'there is no open dead letter with this id'}"
        )
    if not all(outcomes):
        raise typer.Exit(1)


def _run(action: Callable[[dead_letters.Connection, Settings], Awaitable[T]]) -> T:
    config = settings()

    async def connected() -> T:
        info = conninfo(config.postgres, group=config.group, name="hitotsu-dead-letters")
        async with await psycopg.AsyncConnection.connect(info, autocommit=True) as connection:
            return await action(connection, config)

    try:
        return asyncio.run(connected())
    except KafkaAway:
        raise ProviderError("Kafka does not answer: try again when it does") from None
    except psycopg.OperationalError as error:
        raise ProviderError(f"Postgres: {str(error).splitlines()[0]}") from None


def _plain(letter: dead_letters.Letter) -> dict[str, Any]:
    shown = asdict(letter)
    for name in ("record_key", "record_value"):
        shown[name] = None if shown[name] is None else shown[name].hex()
    return {
        name: str(value) if hasattr(value, "isoformat") or (name == "event_id" and value) else value
        for name, value in shown.items()
    }
