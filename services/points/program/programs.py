"""Points programs: their names, which rules of a program are in force, and who is in which.

A program's rules, lots, holds and balances never mix with those of another. Members who joined none
belong to the default program, which the operator names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from projections.program_membership import joined_at
from services.points.program.rules import version_at
from services.runtime.db import Connection
from services.runtime.rows import rows_of

MOVES = """
select event_id, profile_id, program_id, joined, at from program_membership
where profile_id = any(%s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A program. `default`: whether it is the one of members who joined none."""

    id: str
    default: bool = False

    @property
    def stored(self) -> str:
        """Its name in tables that cannot be derived: empty for the default program, as in rows of
        before there were several.
        """
        return "" if self.default else self.id

    @property
    def suffix(self) -> str:
        """What names from which ids are derived end with; empty for the default program, so that
        its ids are those of before.
        """
        return "" if self.default else f" of {self.id}"


DEFAULT = Program("hitotsu-points", default=True)


@dataclass(frozen=True, slots=True)
class Programs:
    """Finds programs by their names. `default_id`: the name of the default program."""

    default_id: str = DEFAULT.id

    @property
    def default(self) -> Program:
        """The program of members who joined none."""
        return Program(self.default_id, default=True)

    def of(self, name: str | None) -> Program:
        """The program of this name; without a name, or with an empty one, the default one."""
        return Program(name or self.default_id, default=not name or name == self.default_id)

    def declared(self, rows: Iterable[Mapping[str, Any]]) -> list[Program]:
        """All programs that have rules, and the default one. `rows`: of `program_rules`."""
        names = {self.default_id, *(row["program_id"] for row in rows)}
        return [self.of(name) for name in sorted(names)]


USUAL = Programs()  # under the name that the default program has unless the operator says other


def in_force(
    rows: Iterable[Mapping[str, Any]], program: Program, at: int
) -> Mapping[str, Any] | None:
    """The row of the program's rules that is in force at `at` (microseconds); None if none is.

    `rows`: of `program_rules`, of any programs.
    """
    return version_at((row for row in rows if row["program_id"] == program.id), at)


async def moves_of(
    connection: Connection, profiles: Iterable[UUID]
) -> dict[UUID, list[dict[str, Any]]]:
    """When these profiles joined and left programs: rows of `program_membership` by profile."""
    moves: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for row in await rows_of(connection, MOVES, [sorted(profiles)]):
        moves[row["profile_id"]].append(row)
    return moves


def programs_at(
    moves: Mapping[UUID, Sequence[Mapping[str, Any]]],
    profiles: Iterable[UUID],
    at: int,
    programs: Programs,
) -> list[Program]:
    """The programs in which a member is at `at` (microseconds). `profiles`: all of the member."""
    rows = [row for profile in profiles for row in moves.get(profile, ())]
    names = sorted(joined_at(rows, at)) if rows else []
    return [programs.of(name) for name in names] or [programs.default]
