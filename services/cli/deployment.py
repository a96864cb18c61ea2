"""Generates the parts of deployment files that follow from process declarations.

    python -m services.cli.deployment [--check]

In docker-compose.yml, infra/prometheus/prometheus.yml and pyproject.toml it is the text between the
comments `begin: processes` and `end: processes`; in the alerts and the dashboard it is the list of
jobs in `job=~"…"`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from services.cli.generated_files import command_line
from services.runtime.processes import Process, processes

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "python -m services.cli.deployment"
_PART = re.compile(
    r"(?P<begin>^ *# begin: processes[^\n]*\n).*?(?P<end>^ *# end: processes$)", re.M | re.S
)
_JOBS = re.compile(r'job=~(?P<quote>\\?")[a-z|]*(?P=quote)')
# files in which every `job=~"…"` must list all processes
MATCHING = ("infra/prometheus/alerts.yml", "infra/grafana/dashboards/the-road.json")


def files(root: Path = ROOT) -> dict[str, str]:
    """The expected content of every file with a generated part, by path.

    Raises ValueError when a file has no place for the generated part.
    """
    declared = processes()
    parts: dict[str, Callable[[Sequence[Process]], str]] = {
        "docker-compose.yml": _compose,
        "infra/prometheus/prometheus.yml": _jobs,
        "pyproject.toml": _floor,
    }
    made = {
        path: _replaced(root / path, _PART, rf"\g<begin>{part(declared)}\g<end>")
        for path, part in parts.items()
    }
    names = "|".join(process.name for process in declared)
    jobs = rf"job=~\g<quote>{names}\g<quote>"
    return made | {path: _replaced(root / path, _JOBS, jobs) for path in MATCHING}


def stale(root: Path = ROOT) -> list[str]:
    """The paths of files that differ from their expected content."""
    return [path for path, text in files(root).items() if (root / path).read_text("utf-8") != text]


def write(root: Path = ROOT) -> list[str]:
    """Updates the files that differ; returns their paths."""
    changed, wanted = stale(root), files(root)
    for path in changed:
        (root / path).write_text(wanted[path], encoding="utf-8")
    return changed


def _replaced(path: Path, place: re.Pattern[str], text: str) -> str:
    made, count = place.subn(text, path.read_text("utf-8"))
    if not count:
        raise ValueError(f"{path} has no place for processes: {place.pattern}")
    return made


def _compose(declared: Sequence[Process]) -> str:
    lines: list[str] = []
    for process in declared:
        for place, name in enumerate(process.instances(process.compose)):
            lines += [
                f"  {name}:",
                "    <<: *service",
                f"    command: [python, -m, {process.module}]",
                "    environment:",
                "      <<: *environment",
                f"      HITOTSU_INSTANCE: {name}",
            ]
            if process.port is not None and place == 0:  # one address for each process
                lines += ["    ports:", f"      - 127.0.0.1:{process.port}:8000"]
            lines.append("")
    return "\n".join(lines)


def _jobs(declared: Sequence[Process]) -> str:
    lines: list[str] = []
    for process in declared:
        targets = ", ".join(f'"{name}:8000"' for name in process.instances(process.compose))
        lines += [
            f"  - job_name: {process.name}",
            "    static_configs:",
            f"      - targets: [{targets}]",
        ]
    return "".join(f"{line}\n" for line in lines)


def _floor(declared: Sequence[Process]) -> str:
    """The import-linter layer of processes with routes, which may not import each other."""
    web = sorted(process.module.rpartition(".")[2] for process in declared if process.port)
    return f'    "{" | ".join(web)}",\n'


if __name__ == "__main__":
    sys.exit(command_line(COMMAND, sys.argv[1:], stale, write))
