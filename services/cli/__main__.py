"""Which verbs does `hitotsu` have? One module registers each family."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec

import typer
from rich.console import Console

from infra.backend import ProviderError
from infra.home import HomeBusy
from infra.process import StartError

MODULES = ("stack", "schema", "dead_letters", "erase", "demo", "rebuild")

app = typer.Typer(
    name="hitotsu",
    help="One member, one balance, one stock, whatever the channel.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for _module in MODULES:
    if find_spec(f"services.cli.{_module}") is not None:
        importlib.import_module(f"services.cli.{_module}").register(app)


def main() -> None:
    """Runs a verb; what the user can mend is said in one paragraph, without a traceback."""
    try:
        app()
    except (ProviderError, StartError, HomeBusy) as error:
        Console(stderr=True).print(f"hitotsu: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
