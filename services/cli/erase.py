"""`hitotsu erase`: erases persons and prints a receipt."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated
from uuid import UUID

import psycopg
import typer
from psycopg_pool import PoolTimeout
from rich.console import Console

from services.cli.endpoints import settings
from services.runtime import db
from services.runtime.config import Settings
from services.runtime.erasure import ErasedProfile, Erasure, IdTaken, NobodyKnown, NotAppliedYet
from services.runtime.keys import SubjectKeys
from services.runtime.logging import configure, redact
from services.runtime.producer import KafkaAway, Producer

VERBS = ("erase",)
REMAINS = (
    "What stays: counts and totals, which name nobody; sealed bytes in Kafka, which nobody can "
    "open; and the wrapped keys in backups and in Postgres' write-ahead log, until those are "
    "recycled or the key-encryption key is replaced."
)
_LONGEST_REASON = 200

Ids = Annotated[list[str] | None, typer.Argument(help="Member or profile ids (UUID), never names.")]
File = Annotated[
    Path | None, typer.Option(help="A file of ids, one a line; - reads standard input.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only list the profiles that would be erased.")
]
Reason = Annotated[str | None, typer.Option(help="Why; kept for ever, so no personal data.")]
Actor = Annotated[str, typer.Option(help="Who decided, as a role or a ticket.")]
Wait = Annotated[float, typer.Option(help="Seconds to wait until the projections have applied it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the receipt as JSON.")]


def register(app: typer.Typer) -> None:
    app.command("erase")(erase)


def erase(
    ids: Ids = None,
    file: File = None,
    dry_run: DryRun = False,
    reason: Reason = None,
    actor: Actor = "operator",
    wait: Wait = 60.0,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Destroy persons' keys and erase their rows, irreversibly. Running it again is safe.

    It erases all profiles of the members that the ids name. It asks for confirmation (unless
    `--yes`): type the id, or the number of ids when there are several.
    """
    configure("erase", "warning")
    persons = _persons(ids or [], file)
    for option, text in (("--reason", reason), ("--actor", actor)):
        _expect_impersonal(option, text)
    if not (dry_run or yes):
        _ask(persons)
    try:
        lines = asyncio.run(_erase(settings(), persons, reason, actor, wait, dry_run))
    except NobodyKnown as error:
        _stop(f"{error}. Nothing was erased.", 1)
    except NotAppliedYet as error:
        _stop(
            f"The keys are destroyed, but {error}. Is a projector running? Then run this again.",
            3,
        )
    except IdTaken as error:
        _stop(f"The keys are destroyed, but {error}. Run this again: it takes another id.", 4)
    except (KafkaAway, PoolTimeout, psycopg.Error, OSError) as error:
        _stop(
            f"Stopped by {type(error).__name__}. Run this again when the servers answer.",
            2,
        )
    _print(lines, dry_run, as_json)


async def _erase(
    where: Settings,
    persons: Sequence[UUID],
    reason: str | None,
    actor: str,
    wait: float,
    dry_run: bool,
) -> list[ErasedProfile]:
    producer = Producer(where.kafka, "hitotsu-erase", timeout=10.0)
    async with db.pool(where.postgres, group=where.group, name="hitotsu-erase", size=2) as pool:
        erasure = Erasure(pool, SubjectKeys(pool, where.key_encryption_key), producer)
        if dry_run:
            return await erasure.would_be(persons)
        await producer.start()
        try:
            return await erasure.erase(persons, reason, actor, wait)
        finally:
            await producer.stop()


def _persons(ids: Sequence[str], file: Path | None) -> list[UUID]:
    texts = list(ids)
    if file is not None:
        try:
            lines = (
                typer.get_text_stream("stdin") if str(file) == "-" else file.open(encoding="utf-8")
            )
            with lines:
                texts += [line.partition("#")[0].strip() for line in lines]
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(
                f"cannot be read: {type(error).__name__}", param_hint="--file"
            ) from None
    persons = [_person(number, text) for number, text in enumerate(texts, 1) if text]
    if not persons:
        raise typer.BadParameter("no ids were given", param_hint="IDS")
    return list(dict.fromkeys(persons))


def _person(number: int, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        # Not quoted: a name or number typed by mistake must not end up in a log.
        message = f"number {number} is not a member or profile id (a UUID)"
        raise typer.BadParameter(message, param_hint="IDS") from None


def _ask(persons: Sequence[UUID]) -> None:
    """Asks to type the id, or the number of persons; exits with 2 on a mismatch.

    Exits with 2 too if standard input is no terminal.
    """
    if sys.stdin.closed or not sys.stdin.isatty():
        _stop(
            "Nothing was erased: erasing is irreversible and must be confirmed, but there is no "
            "terminal. Check with --dry-run, then add --yes.",
            2,
        )
    many = len(persons)
    wanted = str(persons[0]) if many == 1 else str(many)
    what = "one person" if many == 1 else f"{many} persons"
    how = "the id again" if many == 1 else "how many they are"
    typed = typer.prompt(
        f"This destroys the keys and rows of {what}, for ever. Type {how}",
        default="", show_default=False, err=True,
    )  # fmt: skip
    if typed.strip().lower() != wanted:
        _stop(f"Nothing was erased: the typed text is not {wanted}.", 2)


def _expect_impersonal(option: str, text: str | None) -> None:
    if text is None:
        return
    if len(text) > _LONGEST_REASON:
        raise typer.BadParameter(f"is longer than {_LONGEST_REASON} characters", param_hint=option)
    if redact(None, "", {"text": text})["text"] != text:
        raise typer.BadParameter(
            "contains an e-mail address or a telephone number", param_hint=option
        )


def _stop(message: str, code: int) -> None:
    Console(stderr=True).print(message, style="red", highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def _print(lines: Sequence[ErasedProfile], dry_run: bool, as_json: bool) -> None:
    if as_json:
        receipt = [asdict(line) for line in lines]
        print(json.dumps({"dry_run": dry_run, "erased": receipt, "remains": REMAINS}, default=str))
        return
    for line in lines:
        print(_block(line))
    print("Nothing was erased: this was a dry run." if dry_run else REMAINS)


def _block(line: ErasedProfile) -> str:
    """The lines of the receipt about one profile; ids and offsets are not truncated."""
    where = "" if line.offset is None else f"{line.topic}-{line.partition} @ {line.offset}"
    destroyed, finished = (
        f"{at:%F %T}" if at else "" for at in (line.destroyed_at, line.finished_at)
    )
    fields = {
        "member": line.member_id,
        "fact in Kafka": where,
        "key destroyed": destroyed,
        "dead letters": line.dead_letters,
        "finished": finished,
    }
    said = (f"  {name:<13}  {value}".rstrip() for name, value in fields.items())
    return "\n".join((f"profile {line.profile_id}", *said))
