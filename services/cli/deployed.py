"""`hitotsu prepare | token`: what servers that run elsewhere (compose, a cluster) need once."""

from __future__ import annotations

import importlib
from typing import Annotated

import psycopg
import typer
from pydantic import ValidationError

from infra.backend import ProviderError
from services.cli.local import TOKENS
from services.runtime.config import Settings
from services.runtime.tokens import create


def register(app: typer.Typer) -> None:
    app.command()(prepare)
    app.command()(token)


def prepare() -> None:
    """Create tables and topics and apply the schemas, on the servers of HITOTSU_*."""
    importlib.import_module("services.cli.setup").prepare(settings())
    typer.echo("tables, topics and schemas are there")


def token(
    name: Annotated[str, typer.Argument(help=f"Caller; {', '.join(TOKENS)} have scopes ready.")],
    scopes: Annotated[list[str] | None, typer.Argument(help="Scopes, else the ready ones.")] = None,
) -> None:
    """Make a token for a caller and print it, once; an earlier one of that name ends."""
    wanted = tuple(scopes or TOKENS.get(name, ()))
    if not wanted:
        raise ProviderError(f"token {name}: say its scopes, or use one of {', '.join(TOKENS)}")
    try:
        with psycopg.connect(settings().postgres, autocommit=True, connect_timeout=5) as connection:
            typer.echo(create(connection, name, wanted))
    except ValueError as error:
        raise ProviderError(f"token {name}: {error}") from None
    except psycopg.errors.UndefinedTable:
        raise ProviderError("no tables yet: run `hitotsu prepare` first") from None
    except psycopg.OperationalError as error:
        raise ProviderError(f"HITOTSU_POSTGRES: {str(error).splitlines()[0]}") from None


def settings() -> Settings:
    """The environment's settings; what is wrong is named by its variable."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = (f"HITOTSU_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise ProviderError("; ".join(wrong)) from None
