"""`hitotsu demo`: sends store and web sales, and compares every answer with an oracle."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from infra.stack import Stack
from services.cli import local_services
from services.cli.stack import HomeOption, ProviderOption, alone, bring_up, lines

VERBS = ("demo",)
MARK = "demo"  # the file that records the scale of the stack's rows; two scales must not be mixed
FOLDER = Path("var/demo")
CALLERS = ("till", "ec", "warehouse", "staff")  # the tokens with which the demo sends and queries

console = Console()


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    scale: Annotated[
        float,
        typer.Option(
            "--scale", envvar="SCALE", help="TPC-DS scale factor; 0.1 makes 360,000 sale lines."
        ),
    ] = 0.01,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running.")] = False,
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Send nothing, only compare.")
    ] = False,
    home: HomeOption = None,
    provider: ProviderOption = "auto",
) -> None:
    """Send a retailer's sales through the whole system; compare every answer with plain SQL."""
    try:
        from services.demo.data import DataUnavailable, check_scale, tpcds
    except ModuleNotFoundError as error:
        _stop(f"{error.name} is not installed: pip install 'hitotsu[demo]'", 2)
    try:
        check_scale(scale)  # before another command is waited for
    except DataUnavailable as error:
        _stop(str(error), 2)
    stack = Stack(home, provider)
    known = stack.home.read("tokens")
    _expect_tokens([name for name in CALLERS if name in known and not known[name]])
    # Another demo, or `up`, or `down`, in the same folder waits for this one, up to five minutes.
    with alone(stack, "demo"):
        try:
            with console.status("generating the shop's rows"):
                tables = tpcds(scale, FOLDER)
        except DataUnavailable as error:
            _stop(str(error), 2)
        differences = _whole(stack, scale, tables, check_only, keep)
    raise typer.Exit(1 if differences else 0)


def _whole(stack: Stack, scale: float, tables: Path, check_only: bool, keep: bool) -> int:
    """Runs the demo; starts the stack first, and stops it again if it was down before (not if
    `keep`).

    Returns the number of differences.
    """
    ours = not stack.alive()
    _expect_room(stack, scale, ours, check_only)
    try:
        with lines() as progress:
            notices = bring_up(stack, progress)
        for notice in notices:
            console.print(notice, style="yellow", soft_wrap=True)
        differences = _run(stack, scale, tables, check_only)
    finally:
        if ours and not keep:
            with console.status("stopping"):
                stack.stop()
    if ours and not keep:
        console.print(
            "Everything is stopped; [cyan]--keep[/] (KEEP=1) leaves it running to look around."
        )
    return differences


def _expect_tokens(absent: list[str]) -> None:
    """Exits with 2 when a token that the demo needs was revoked, or has other scopes or role.

    `up` does not create such a token again.
    """
    if absent:
        told = (
            f"token {name} was revoked, or has other scopes: `hitotsu tokens create {name}`"
            for name in absent
        )
        _stop("\n".join(told), 2)


def _expect_room(stack: Stack, scale: float, ours: bool, check_only: bool) -> None:
    """Makes sure that the stack has no rows of a demo at another scale.

    A stopped stack with such rows is purged; exits with 2 when the stack runs (not `ours`), and
    when `check_only` finds no rows of this scale.
    """
    held = stack.home.read(MARK).get("scale") if stack.home.path.exists() else None
    if check_only and held != scale:
        _stop(f"{stack.home.path} does not hold the demo at scale {scale:g}: run it first", 2)
    if held is None or held == scale:
        return
    if not ours:
        _stop(
            f"the running stack holds the demo at scale {held:g}: "
            "`hitotsu down --purge` first, or choose another --home",
            2,
        )
    console.print(f"removing the demo at scale {held:g} from {stack.home.path}")
    stack.stop(purge=True)


def _run(stack: Stack, scale: float, tables: Path, check_only: bool) -> int:
    from services.demo.common.answers import Unanswered
    from services.demo.report import show, show_where_to_look
    from services.demo.run import Demo
    from services.demo.send import NotAccepted
    from services.demo.wait_for_answers import StandsStill
    from services.runtime.logging import configure
    from services.sdk import Problem, Unreachable

    expected = (NotAccepted, Unanswered, StandsStill, Problem, Unreachable, httpx.HTTPError)
    configure("demo", "warning")
    status = stack.status()
    _expect_tokens([name for name in CALLERS if not status["tokens"].get(name)])
    place = _place(stack, status)
    if not check_only:
        stack.home.write(MARK, {"scale": scale})
    try:
        report = asyncio.run(Demo(scale, tables, place, console).run(send=not check_only))
    except (*expected, ExceptionGroup) as error:
        # Several tills may fail with the same error: show the first.
        first = _first(error)
        if not isinstance(first, expected):
            raise
        _stop(f"{first}\nlogs: {stack.home.logs}", 2)
    path = FOLDER / "report.json"
    report.write(path)
    show(report, console)
    show_where_to_look(_places(status, path), console)
    return report.differences


def _place(stack: Stack, status: dict[str, Any]) -> Any:
    from services.demo.run import Place
    from services.runtime.config import Settings

    environment = local_services.environment(stack.home, stack.endpoints())
    known = {name.removeprefix("HITOTSU_").lower(): value for name, value in environment.items()}
    services = status["services"]
    return Place(
        settings=Settings(**known),  # type: ignore[arg-type]  # read from text, as from the environment
        gateway=services["gateway"]["url"],
        commands=services["commands"]["url"],
        api=services["api"]["url"],
        tokens=status["tokens"],
    )


def _places(status: dict[str, Any], report: Path) -> dict[str, str]:
    services = status["services"]
    api = services["api"]["url"]
    places = {
        "report": str(report),
        "API documentation": f"{api}/docs",
        "OpenAPI": f"{api}/openapi.json",
    }
    places["gateway"] = f"{services['gateway']['url']}/docs"
    metrics = {f"metrics of {name}": str(entry["metrics"]) for name, entry in services.items()}
    return {**places, **metrics, "tokens, logs, pids": "hitotsu status --json"}


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _stop(message: str, code: int) -> Any:
    Console(stderr=True).print(
        f"hitotsu demo: {message}", style="red", markup=False, soft_wrap=True
    )
    sys.exit(code)
