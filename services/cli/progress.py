"""What verbs that fold the log share: projection names, progress bars, one-line errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.backend import ProviderError
from services.cli.endpoints import settings
from services.runtime.groups import LIVE

if TYPE_CHECKING:
    from projections.core import Projection
    from services.runtime.config import Settings

Moved = Callable[[str, int, int], None]
COLUMNS = (
    TextColumn("{task.description:<18}"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("events"),
    TimeElapsedColumn(),
)


def requested_projections(names: list[str] | None) -> tuple[Settings, list[Projection], list[str]]:
    """The settings, all projections of the group that have tables, and the names to work on.

    `names` None or [] means all. Raises ProviderError for an unknown name.
    """
    from projections import of_group

    config = settings()
    declared = [one for one in of_group(config.group, LIVE) if one.tables]
    known = [one.name for one in declared]
    for name in names or ():
        if name not in known:
            raise ProviderError(f"unknown projection {name!r}; known: {', '.join(known)}")
    return config, declared, sorted(set(names)) if names else known


@contextmanager
def steps(*refusals: type[Exception]) -> Iterator[Moved]:
    """Shows a progress bar per step; yields the function `(step, done, whole)` that moves it.

    Turns `refusals` and a lost Postgres connection into a ProviderError, which prints as one line.
    """
    console = Console(stderr=True)
    tasks: dict[str, Any] = {}
    try:
        with Progress(*COLUMNS, console=console, disable=not console.is_terminal) as bar:

            def moved(step: str, done: int, whole: int) -> None:
                if step not in tasks:
                    tasks[step] = bar.add_task(step, total=whole)
                bar.update(tasks[step], completed=done, total=whole)

            yield moved
    except refusals as error:
        raise ProviderError(str(error)) from None
    except psycopg.OperationalError as error:
        raise ProviderError(f"Postgres: {str(error).splitlines()[0]}") from None
