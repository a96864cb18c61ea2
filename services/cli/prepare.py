"""`hitotsu prepare`: prepares servers that `hitotsu` did not start (compose, a cluster)."""

from __future__ import annotations

import importlib

import typer
from pydantic import ValidationError

from infra.backend import ProviderError
from services.runtime.config import Settings

VERBS = ("prepare",)


def register(app: typer.Typer) -> None:
    app.command()(prepare)


def prepare() -> None:
    """Create tables and topics and import the schemas, on the servers named by HITOTSU_*."""
    for notice in importlib.import_module("services.cli.setup").prepare(settings()):
        typer.echo(notice)
    typer.echo("tables, topics and schemas are ready")


def settings() -> Settings:
    """The settings from the environment; ProviderError names every invalid variable."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = (f"HITOTSU_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise ProviderError("; ".join(wrong)) from None
