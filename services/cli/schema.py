"""`hitotsu schema check | apply | diff | release`, `tail`, `example`: tools for event schemas."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from infra.stack import Stack
from schemas.declarations import BadSchema
from schemas.generated.inputs import INPUTS, Rejected
from schemas.generated.inputs import example as example_of
from schemas.history import releases
from schemas.tools import generate, golden_bytes, lint, registry
from schemas.topics import TOPICS
from services.cli import tail as topic_tail

VERBS = ("schema", "tail", "example")
schema = typer.Typer(no_args_is_help=True, help="The event schemas, here and in a registry.")
RegistryOption = Annotated[
    str | None,
    typer.Option("--registry", envvar="HITOTSU_REGISTRY", help="[default: the running stack's]"),
]
HomeOption = Annotated[
    Path | None, typer.Option("--home", envvar="HITOTSU_HOME", help="The stack's private folder.")
]


def register(app: typer.Typer) -> None:
    app.add_typer(schema, name="schema")
    app.command()(tail)
    app.command()(example)


@schema.command()
def check() -> None:
    """Check style, compatibility of all versions, generated files and golden values."""
    try:
        found = [*generate.problems(), *_clashes()]
        found += [
            f"schemas/{path} is stale: python -m schemas.tools.generate"
            for path in generate.stale()
        ]
    except BadSchema as error:
        found = [str(error)]
    found += [f"{item.file} has no golden values" for item in golden_bytes.missing()]
    if found:
        _fail("\n".join(found))
    typer.echo(f"{len(releases.Releases().by_id)} released schemas: no problem found")


@schema.command()
def release() -> None:
    """Give every changed schema a new version and id; released versions are never changed."""
    clashes = [*lint.check(), *_clashes()]
    if clashes:
        _fail("\n".join(clashes))
    if behind := [path for path in generate.stale() if path.endswith(".py")]:
        _fail(f"schemas/{behind[0]} is stale: python -m schemas.tools.generate, then release")
    made = releases.release()
    golden_bytes.write()
    generate.write()
    for item in made:
        typer.echo(f"{item.id}  {item.subject} v{item.version}")
    if not made:
        typer.echo("nothing has changed")


@schema.command()
def diff(url: RegistryOption = None, home: HomeOption = None) -> None:
    """List released schemas that the registry lacks or has differently; if any, exit with 1."""
    try:
        found = registry.diff(_registry(url, home))
    except registry.RegistryError as error:
        _fail(str(error))
    for item in found:
        typer.echo(f"{item.kind:9}{item.what}")
    if found:
        raise typer.Exit(1)
    typer.echo("the registry holds every released schema under its id")


@schema.command()
def apply(url: RegistryOption = None, home: HomeOption = None) -> None:
    """Import the released schemas that the registry lacks, under their released ids."""
    try:
        made = registry.apply(_registry(url, home))
    except registry.RegistryError as error:
        _fail(str(error))
    for item in made:
        typer.echo(f"{item.id}  {item.subject} v{item.version}")
    typer.echo(f"{len(made)} applied; the registry holds every released schema under its id")


def example(event: Annotated[str, typer.Argument(help="Such as PurchaseCompleted.")]) -> None:
    """Print an example of an event, as `POST /v1/events` takes it."""
    try:
        typer.echo(json.dumps(example_of(event), ensure_ascii=False, indent=2))
    except Rejected:
        _fail(f"{event} is not one of the events that producers send:\n" + "\n".join(INPUTS))


def tail(
    topic: Annotated[str, typer.Argument(help="Such as commerce.purchases.")],
    start: Annotated[
        Literal["beginning", "end"], typer.Option("--from", help="Where to start reading.")
    ] = "end",
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this many events.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line.")
    ] = False,
    kafka: Annotated[
        str | None,
        typer.Option("--kafka", envvar="HITOTSU_KAFKA", help="[default: the running stack's]"),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Print decoded events as they arrive; personal fields stay sealed."""
    if topic not in TOPICS:
        _fail(f"{topic} is not one of the topics:\n" + "\n".join(TOPICS))
    servers = kafka or _server("kafka", "--kafka or HITOTSU_KAFKA", home)
    show = topic_tail.as_json if as_json else topic_tail.as_text
    try:
        asyncio.run(topic_tail.follow(servers, topic, start, limit, lambda r: typer.echo(show(r))))
    except KeyboardInterrupt:
        return
    except topic_tail.CannotRead as error:
        _fail(str(error))
    except BrokenPipeError:  # `hitotsu tail ... | head` has seen enough
        os._exit(0)


def _clashes() -> list[str]:
    """Texts about versions that are not compatible; one text if the package avro is missing."""
    if find_spec("avro") is None:
        return ["versions cannot be compared without the package avro: pip install avro"]
    return importlib.import_module("schemas.tools.compatibility").check()  # type: ignore[no-any-return]


def _registry(url: str | None, home: Path | None) -> str:
    return url or _server("registry", "--registry or HITOTSU_REGISTRY", home)


def _server(name: str, otherwise: str, home: Path | None) -> str:
    """The address of a server of the running stack.

    Exits with 1 if there is none; the message names `otherwise`, the option for an address.
    """
    found = Stack(home).status()["servers"].get(name, {}).get("url")
    if not found:
        _fail(f"no {name} is known: start one with `hitotsu up`, or give {otherwise}")
    return str(found)


def _fail(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(1)
