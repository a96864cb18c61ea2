"""`hitotsu up | down | status | doctor`: the whole stack on this machine."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from infra.backend import Progress
from infra.home import LOCK_WAIT_SECONDS, Home
from infra.stack import Stack
from services.cli import doctor, local_services, stale_services

VERBS = ("up", "down", "status", "doctor")
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", envvar="HITOTSU_HOME", help="Private folder. [default: var/stack]"),
]
Provider = Literal["auto", "external", "docker", "native"]
ProviderOption = Annotated[Provider, typer.Option("--provider", help="Who runs the servers.")]

console = Console()


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command(name="doctor")(check)


def up(
    provider: ProviderOption = "auto",
    home: HomeOption = None,
    no_registry: Annotated[
        bool, typer.Option("--no-registry", help="Start no schema registry.")
    ] = False,
    servers_only: Annotated[
        bool, typer.Option("--servers-only", help="Start servers, but no services.")
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait until services are ready.")
    ] = 60.0,
) -> None:
    """Start Kafka, Postgres, Valkey, the registry and the services, unless they run already.

    Frozen processes are resumed. If a process does not start, the error names it; exit code 1.
    """
    stack = Stack(home, provider, registry=not no_registry)
    with alone(stack, "up"), lines() as progress:
        notices = bring_up(stack, progress, servers_only=servers_only, wait=wait)
    show(stack.status())
    for notice in notices:
        console.print(notice, style="yellow", soft_wrap=True)


def down(
    home: HomeOption = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Also remove data, keys and logs.")
    ] = False,
) -> None:
    """Stop services, then servers. Data stays unless `--purge`."""
    stack = Stack(home)
    if not stack.home.path.exists():
        console.print(f"nothing is in {stack.home.path}")
        return
    with alone(stack, "down"), console.status("stopping"):
        stack.stop(purge=purge)
    console.print(f"stopped; {'data removed' if purge else 'data kept'} in {stack.home.path}")


def status(
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    as_shell: Annotated[
        bool, typer.Option("--shell", help="Print shell variables with addresses and tokens.")
    ] = False,
) -> None:
    """Show addresses, pids and logs of the stack in this folder; tokens with --json or --shell.

    Exits with 1 if the folder has no servers.
    """
    found = Stack(home).status()
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif as_shell:
        typer.echo("\n".join(_shell_variables(found)))
    else:
        show(found)
    if not found["servers"]:
        raise typer.Exit(1)


def check(
    provider: ProviderOption = "auto",
    home: HomeOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check whether this machine can run the stack, and how to fix what is missing."""
    findings = doctor.examine(provider, Home(home))
    if as_json:
        typer.echo(json.dumps([finding.__dict__ for finding in findings], indent=2))
    else:
        for finding in findings:
            mark = "[green]ok[/]  " if finding.good else "[red]no[/]  "
            console.print(f"{mark}{finding.what}: {finding.found}", soft_wrap=True)
            if finding.fix:
                console.print(f"    → {finding.fix}", markup=False, soft_wrap=True)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def bring_up(
    stack: Stack, progress: Progress, *, servers_only: bool = False, wait: float = 60.0
) -> list[str]:
    """Starts servers, creates tables and topics, starts services.

    Returns notices about migrations, builds, and services that still run with older code or other
    settings. On KeyboardInterrupt or SystemExit it stops what it started (`Stack.stop_new`).
    """
    with stack.home.locked():
        before = stack.alive()
        try:
            return _bring_up(stack, progress, servers_only, wait)
        except (KeyboardInterrupt, SystemExit):
            stack.stop_new(before)
            raise


def _bring_up(stack: Stack, progress: Progress, servers_only: bool, wait: float) -> list[str]:
    endpoints = stack.start_servers(progress)
    if servers_only:
        return []
    env = local_services.environment(stack.home, endpoints)
    services = local_services.services(stack.home, stack.alive())
    names = {service.name for service in services}
    running = stack.alive() & names
    # Tables are always prepared: a restarted service runs the present code. Tokens are created only
    # while no service runs.
    progress("tables", "creating tables, topics and tokens", False)
    said = local_services.prepare(
        endpoints, env, {} if running else local_services.tokens(stack.home)
    )
    progress("tables", "tables, topics and tokens ready", True)
    for service in services:
        progress(service.name, "running" if service.name in running else "starting", False)
    before = stale_services.running(stack)
    if not before:
        stale_services.remember(stack, env)
    stack.complete_services(services, env)
    stack.restart_hung(progress)
    stack.wait_ready(wait, progress)
    return [*said, *stale_services.notices(stack, env, before)]


@contextmanager
def alone(stack: Stack, verb: str) -> Iterator[None]:
    """Holds the stack's lock for a whole command; SIGTERM and SIGHUP raise SystemExit in it."""

    def waiting(holder: str) -> None:
        console.print(f"waiting for {holder}, which works in {stack.home.path}", soft_wrap=True)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` ignores SIGHUP
            signal.signal(number, lambda came, _frame: sys.exit(128 + came))
    with stack.home.locked(LOCK_WAIT_SECONDS, f"hitotsu {verb}", waiting):
        yield


@contextmanager
def lines() -> Iterator[Progress]:
    """Shows a line per server and service: a spinner until it is ready, and the time it took."""
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.fields[name]:<12}"),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def progress(name: str, doing: str, ready: bool) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(doing, name=name, total=1)
            bars.update(tasks[name], description=doing, completed=1 if ready else 0)

        yield progress


def show(found: dict[str, Any]) -> None:
    """Prints addresses, pids and logs, and where the data is."""
    table = Table(box=None, pad_edge=False)
    for title in ("", "address", "pid", "log"):
        table.add_column(title, overflow="fold")
    home = Path(found["home"])
    for name, entry in {**found["servers"], **found["services"]}.items():
        address = entry["url"] or entry.get("metrics") or ""
        elsewhere = name in found["servers"] and found["provider"] != "native"
        pid = "" if elsewhere else _process(entry)
        table.add_row(name, _without_password(address), pid, _short(entry["log"] or "", home))
    console.print(table)
    for line in _places(found, home):
        console.print(line, soft_wrap=True)
    api = found["services"].get("api", {}).get("url")
    if api:
        console.print(f"API documentation {api}/docs, metrics {api}/metrics", soft_wrap=True)
    if found["tokens"]:
        console.print("tokens and full URLs: hitotsu status --json")
    if not found["servers"]:
        console.print("nothing runs here: hitotsu up")


def _shell_variables(found: dict[str, Any]) -> Iterator[str]:
    """`export` lines for every address and token, such as GATEWAY (URL) and TILL (token)."""
    entries = {**found["servers"], **found["services"]}
    addresses = {name: entry["url"] for name, entry in entries.items() if entry["url"]}
    variables = {**addresses, **found["tokens"]}
    yield f"export HITOTSU_HOME={shlex.quote(found['home'])}"
    for name, text in variables.items():
        yield f"export {name.upper().replace('-', '_')}={shlex.quote(text)}"


def _places(found: dict[str, Any], home: Path) -> list[str]:
    """Lines that say where logs, data and secrets are; data outside `home` has its own lines."""
    data = {name: entry.get("data") for name, entry in found["servers"].items()}
    outside = {name: at for name, at in data.items() if at and not Path(at).is_relative_to(home)}
    apart = f" (but the data of {', '.join(outside)})" if outside else ""
    return [
        f"logs, data{apart} and secrets below {home}",
        *(f"data of {name} in {at}, closed to others" for name, at in outside.items()),
    ]


def _process(entry: dict[str, Any]) -> str:
    """The pid (with `frozen` if so), or `stopped` with the exit code if known."""
    if not entry["pid"]:
        code = entry.get("exit")
        return "stopped" if code is None else f"stopped ({code})"
    return f"{entry['pid']} frozen" if entry.get("state") == "frozen" else str(entry["pid"])


def _short(log: str, home: Path) -> str:
    path = Path(log)
    return str(path.relative_to(home)) if path.is_relative_to(home) else log


def _without_password(address: str) -> str:
    """The URL without user and password, since others may see the screen."""
    scheme, separator, rest = address.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else address
