"""Which verbs does `hitotsu` have? One module registers each family."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer
from rich.console import Console

from infra.backend import ProviderError
from infra.home import HomeBusy, HomeUnusable, reason_of
from infra.process import StartError

# which module has which verbs: only the one that is asked for is imported, so that `status` and
# `tail` do not wait for what `demo` needs
MODULES = {
    "stack": ("up", "down", "status", "doctor", "prepare"),
    "tokens": ("tokens", "token"),
    "schema": ("schema", "tail", "example"),
    "dead_letters": ("dead-letters",),
    "erase": ("erase",),
    "demo": ("demo",),
    "rebuild": ("rebuild",),
    "verify": ("verify",),
    "identity": ("identity",),
}

# what the system says of a folder that is closed, full, or no folder
UNUSABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR,
    errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP,
}  # fmt: skip

app = typer.Typer(
    name="hitotsu",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def root() -> None:
    """One member, one balance, one stock, whatever the channel."""


def load(words: Sequence[str]) -> None:
    """Registers the verb that was asked for; all of them for the list of verbs."""
    wanted = [name for name, verbs in MODULES.items() if words and words[0] in verbs]
    for name in wanted or MODULES:
        importlib.import_module(f"services.cli.{name}").register(app)


def main() -> None:
    """Runs a verb; what the user can mend is said in one paragraph, without a traceback."""
    load(sys.argv[1:])
    try:
        app()
    except (ProviderError, StartError, HomeBusy, HomeUnusable) as error:
        _stop(str(error))
    except OSError as error:
        # a file or a folder, not a server: those have errors of their own above
        if error.errno not in UNUSABLE:
            raise
        _stop(reason_of(error))


def _stop(reason: str) -> NoReturn:
    Console(stderr=True).print(f"hitotsu: {reason}", style="red", markup=False, soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
