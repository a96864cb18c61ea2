"""Finds the processes, each declared as `PROCESS` in the `__init__` of its package.

`hitotsu up` starts them. docker-compose.yml, Prometheus' jobs and alerts, the dashboard's jobs and
the import linter's layers are generated from them by `python -m services.cli.deployment`,
docs/reference/processes.md by `python -m services.cli.reference`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import services

WORKER_VARIABLES = ("HITOTSU_METRICS_PORT",)
WEB_VARIABLES = ("HITOTSU_PORT", *WORKER_VARIABLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A long-running process, started by `python -m MODULE`.

    `name`: in `hitotsu status`, logs and Prometheus' jobs. `does`, `scaling`: what it does and how
    many instances to run, for the documentation. `port`: where docker-compose.yml publishes its
    routes on loopback; None: a worker, which has only health and metrics. `local` and `compose`:
    how many instances `hitotsu up` and docker-compose.yml start.
    """

    name: str
    module: str
    does: str
    scaling: str
    port: int | None = None
    local: int = 1
    compose: int = 1

    @property
    def port_variables(self) -> tuple[str, ...]:
        """The environment variables that set its ports."""
        return WORKER_VARIABLES if self.port is None else WEB_VARIABLES

    def instances(self, count: int) -> list[str]:
        """The names of `count` instances: the process name, or numbered names if several."""
        if count == 1:
            return [self.name]
        return [f"{self.name}-{number}" for number in range(1, count + 1)]


def processes() -> list[Process]:
    """All declared processes, sorted by name.

    Raises TypeError when two have the same name or the same port.
    """
    declared = sorted(_declared(), key=lambda process: process.name)
    for what in ("name", "port"):
        values = [value for process in declared if (value := getattr(process, what)) is not None]
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            raise TypeError(f"two processes are declared with the {what} {twice.pop()}")
    return declared


def _declared() -> Iterator[Process]:
    # only packages with a `__main__`: importing others may take long
    started = {
        path.parent.name
        for folder in services.__path__
        for path in Path(folder).glob("*/__main__.py")
    }
    for package in started:
        process = getattr(importlib.import_module(f"services.{package}"), "PROCESS", None)
        if isinstance(process, Process):
            yield process
