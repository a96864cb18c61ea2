"""What do the verbs that fold the log share? Names, a bar for each step, refusals in a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from infra.backend import ProviderError
from services.cli.endpoints import settings

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


def asked(names: list[str] | None) -> tuple[Settings, list[Projection], list[str]]:
    """Settings, the group's projections, and the names asked for: all when none was named.

    Projections that keep no table are left out: there is nothing of them to rebuild or compare.
    """
    from projections import discover

    config = settings()
    declared = [one for one in discover() if one.group == config.group and one.tables]
    known = [one.name for one in declared]
    for name in names or ():
        if name not in known:
            raise ProviderError(f"there is no projection {name!r}; there are {', '.join(known)}")
    return config, declared, sorted(set(names)) if names else known


@contextmanager
def steps(*refusals: type[Exception]) -> Iterator[Moved]:
    """One bar for each step, drawn when it begins; refusals are told in a line."""
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
