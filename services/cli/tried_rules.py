"""Prints what `hitotsu points rules try` found."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

import psycopg
import typer
from rich.console import Console

from infra.variables import variable
from projections.core.instants import instant, micros
from services.cli.points import refuse_while_building
from services.points.background.tried_rules import TriedSale, TriedTotals, tried
from services.points.program.programs import Programs
from services.points.program.rules import EarningRules
from services.runtime.config import Settings
from services.runtime.db import Connection, conninfo

SHOWN_MAX = 50


async def tried_sales(
    config: Settings, rules: EarningRules, program: str, since: datetime
) -> tuple[list[TriedSale], TriedTotals]:
    """The tried sales and their sums. `program`: empty for the default one."""
    programs = Programs(variable("HITOTSU_DEFAULT_PROGRAM") or config.default_program)
    info = conninfo(config.postgres, group=config.group, name="hitotsu-try-rules")
    sales, totals = list[TriedSale](), TriedTotals()
    async with await psycopg.AsyncConnection.connect(info, autocommit=True) as made:
        connection: Connection = made
        await refuse_while_building(connection, config.group)
        async for sale in tried(connection, rules, programs.of(program), programs, micros(since)):
            sales.append(sale)
            totals.add(sale)
    return sales, totals


def print_tried(sales: list[TriedSale], totals: TriedTotals, as_json: bool) -> None:
    """Prints the first sales and the sums; as JSON all sales."""
    if as_json:
        typer.echo(json.dumps(asdict(totals) | {"each": [_plain(sale) for sale in sales]}))
        return
    console = Console()
    for sale in sales[:SHOWN_MAX]:
        _say(console, _line(sale))
    if len(sales) > SHOWN_MAX:
        _say(console, f"… and {len(sales) - SHOWN_MAX:,} more: --json lists all")
    for currency, many in sorted(totals.not_converted.items()):
        _say(console, f"{many:,} sales in {currency} earn nothing: the rules name no rate for it")
    _say(
        console,
        f"{totals.sales:,} sales would have earned {totals.points:,} points, of which"
        f" {totals.kept:,} are left after returns; nothing was stored",
    )


def _line(sale: TriedSale) -> str:
    at = instant(sale.occurred_at).isoformat(timespec="seconds")
    left = "" if sale.kept == sale.points else f", {sale.kept:,} after returns"
    rank = "" if sale.rank is None else f", as {sale.rank}"
    return f"{at} {sale.transaction_id}: {sale.points:,} points{left}{rank}"


def _plain(sale: TriedSale) -> dict[str, Any]:
    return {
        **asdict(sale), "transaction_id": str(sale.transaction_id),
        "profile_id": str(sale.profile_id), "occurred_at": instant(sale.occurred_at).isoformat(),
    }  # fmt: skip


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False, highlight=False)
