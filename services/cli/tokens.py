"""`hitotsu tokens create | list | revoke`: manages callers' bearer tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from infra.backend import ProviderError
from infra.home import Home
from infra.stack import Stack
from infra.variables import variable
from schemas.rights import ROLES, Role
from services.cli.local_services import TOKEN_ROLES, TOKENS
from services.runtime.tokens import TokenListing, create, listed, revoke, role_for

VERBS = ("tokens", "token")
Name = Annotated[
    str, typer.Argument(help=f"Caller. Default scopes and roles exist for {', '.join(TOKENS)}.")
]
Scopes = Annotated[list[str] | None, typer.Argument(help="Scopes. [default: those of NAME]")]
RoleOption = Annotated[
    str | None,
    typer.Option("--role", help=f"Which events it may append: {', '.join(ROLES)}."),
]
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="HITOTSU_HOME", help="Private folder. [default: var/stack]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]

tokens = typer.Typer(no_args_is_help=True, help="Create, list and revoke callers' tokens.")


def register(app: typer.Typer) -> None:
    """Adds the verbs, and `token` as a short form of `tokens create`."""
    app.add_typer(tokens, name="tokens")
    app.command("token")(make)


@tokens.command("create")
def make(
    name: Name, scopes: Scopes = None, role: RoleOption = None, home: HomeOption = None
) -> None:
    """Create a token for a caller and print it once; revokes the caller's earlier token."""
    wanted = tuple(scopes or TOKENS.get(name, ()))
    if not wanted:
        raise ProviderError(
            f"token {name}: give its scopes, or choose a name of {', '.join(TOKENS)}"
        )
    ready = TOKEN_ROLES.get(name) if not scopes else role_for(wanted)
    try:
        with _postgres(home) as connection:
            made = create(connection, name, wanted, cast("Role | None", role) or ready)
    except ValueError as error:
        raise ProviderError(f"token {name}: {error}") from None
    # `status` shows, and the demo uses, only a token as `up` would create it
    _remember(home, name, made if not scopes and role in (None, ready) else "")
    typer.echo(made)


@tokens.command("list")
def show(home: HomeOption = None, as_json: AsJson = False) -> None:
    """List all tokens, also revoked ones: name, role, scopes, times; never the token itself."""
    with _postgres(home) as connection:
        found = listed(connection)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], default=str, indent=2))
        return
    table = Table("name", "role", "scopes", "created", "revoked", box=None, pad_edge=False)
    for one in found:
        table.add_row(*_row(one))
    Console().print(table)


@tokens.command("revoke")
def end(
    names: Annotated[list[str], typer.Argument(help="Callers to revoke the tokens of.")],
    home: HomeOption = None,
) -> None:
    """Revoke callers' tokens: refused within seconds; `up` does not create them again."""
    with _postgres(home) as connection:
        ended = {name: revoke(connection, name) for name in names}
    for name, known in ended.items():
        if known:
            _remember(home, name, "")
        typer.echo(f"{name}: {'revoked' if known else 'has no valid token'}")
    if not all(ended.values()):
        raise typer.Exit(1)


def _row(one: TokenListing) -> tuple[str, ...]:
    times = (f"{at:%F %T}" if at else "" for at in (one.created_at, one.revoked_at))
    return (one.name, one.role or "", " ".join(one.scopes), *times)


def _remember(home: Path | None, name: str, token: str) -> None:
    """Records the token in the local stack's token file; "": revoked, or other scopes or role."""
    place = Home(home)
    if variable("HITOTSU_POSTGRES") or name not in TOKENS or not place.path.exists():
        return
    # without the folder's lock, which `demo` may hold for long: the file is replaced as a whole
    place.write("tokens", {**place.read("tokens"), name: token})


def _prepares() -> str:
    """The command that creates the tables: `prepare` if HITOTSU_POSTGRES is set, else `up`."""
    return "`hitotsu prepare`" if variable("HITOTSU_POSTGRES") else "`hitotsu up`"


@contextmanager
def _postgres(home: Path | None) -> Iterator[psycopg.Connection]:
    """Connects to HITOTSU_POSTGRES, or to the local stack's Postgres.

    A lost connection, and missing tables or columns, become a ProviderError.
    """
    dsn = variable("HITOTSU_POSTGRES") or Stack(home).endpoints().postgres
    try:
        with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
            yield connection
    except psycopg.errors.UndefinedTable:
        raise ProviderError(f"no tables yet: run {_prepares()} first") from None
    except psycopg.errors.UndefinedColumn as error:
        raise ProviderError(
            f"the tables are those of an older release ({error.diag.message_primary}): "
            f"run {_prepares()} first"
        ) from None
    except psycopg.OperationalError as error:
        raise ProviderError(f"Postgres: {str(error).splitlines()[0]}") from None
