"""The entry point of the command `hitotsu`: finds the verb in the arguments and runs it.

A module of this package that has verbs declares their names in a tuple `VERBS` and adds them to the
command line in a function `register`.
"""

from __future__ import annotations

import ast
import errno
import importlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

from infra.backend import ProviderError
from infra.home import HomeBusy, HomeUnusable, reason_of
from infra.process import StartError

FOLDER = Path(__file__).parent
# the declaration must be on one line, since it is read without importing the module
_DECLARATION = re.compile(r"^VERBS = (\(.*\))$", re.M)

# errors of a file or folder that cannot be used: no permission, disk full, not a folder …
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
    """Operates Hitotsu: servers, services, schemas, projections, tokens."""


def declared_verbs(folder: Path = FOLDER) -> dict[str, tuple[str, ...]]:
    """The verbs that each module declares as `VERBS`, read from its source.

    Importing all modules takes seconds: `status` and `tail` must not wait for what `demo` needs.
    """
    found = {}
    for path in sorted(folder.glob("*.py")):
        if declaration := _DECLARATION.search(path.read_text("utf-8")):
            found[path.stem] = ast.literal_eval(declaration[1])
    return found


def load(words: Sequence[str]) -> None:
    """Registers the module that declares the verb `words[0]`; all modules if none declares it."""
    declared = declared_verbs()
    wanted = [module for module, verbs in declared.items() if words and words[0] in verbs]
    for module in wanted or declared:
        importlib.import_module(f"services.cli.{module}").register(app)


def main() -> None:
    """Runs the verb; prints an error that the user can fix without traceback, and exits with 1."""
    load(sys.argv[1:])
    try:
        app()
    except (ProviderError, StartError, HomeBusy, HomeUnusable) as error:
        _stop(str(error))
    except OSError as error:
        # only errors of files and folders; server errors are caught above
        if error.errno not in UNUSABLE:
            raise
        _stop(reason_of(error))


def _stop(reason: str) -> NoReturn:
    Console(stderr=True).print(f"hitotsu: {reason}", style="red", markup=False, soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
