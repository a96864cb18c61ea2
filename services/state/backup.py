"""Says of every table of the schema `hitotsu` whether a backup must include it.

It must include those that cannot be rebuilt from the log.

Each `create table` of a migration has a line `-- backup: yes; reason` or `-- backup: no; reason`
directly above it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from services.state.migrate import FOLDER, MigrationError, migrations

STATEMENT = re.compile(
    r"(?:^-- backup: (?P<answer>yes|no); (?P<reason>.+)\n)?"
    r"^create table (?:if not exists )?hitotsu\.(?P<made>\w+)"
    r"|^\s*drop table (?:if exists )?hitotsu\.(?P<dropped>\w+);",
    re.MULTILINE,
)
RECORD = ("migration", True, "the migrations that were applied to the tables above")


@dataclass(frozen=True, slots=True)
class DurableTable:
    """A table of the schema `hitotsu`, whether a backup must include it, and why."""

    name: str
    in_backup: bool
    reason: str


def tables(folder: Path = FOLDER) -> list[DurableTable]:
    """Every table of the schema `hitotsu`, in the order of creation, and `migration` last.

    Raises MigrationError when a `create table` does not say whether a backup must include it.
    """
    declared: dict[str, DurableTable] = {}
    for file in migrations(folder):
        for match in STATEMENT.finditer(file.text):
            if match["dropped"]:
                declared.pop(match["dropped"], None)
                continue
            name = match["made"]
            if match["answer"] is None:
                raise MigrationError(
                    f"{file.name}: no line `-- backup: yes; …` or `-- backup: no; …` above the"
                    f" create table of hitotsu.{name}"
                )
            declared[name] = DurableTable(name, match["answer"] == "yes", match["reason"])
    return [*declared.values(), DurableTable(*RECORD)]
