"""Which programs a member is in, and the query that tells it.

A member is in a program while any of its profiles is: the last that was told of the profile, up to
that time, is that it joined. A member who is in none belongs to the default program.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from projections.core import Read, Subject
from projections.core.instants import Moment, instant, micros
from projections.point_balance import membership, projection
from projections.point_balance.programs import SETTING


def joined_at(rows: Iterable[Mapping[str, Any]], at: int) -> dict[str, int]:
    """The programs in which these profiles are at `at`, and since when; microseconds.

    `rows`: of `program_membership`, in any order. Of several profiles the earliest joining counts;
    of what was told of one time, what has the greatest event id.
    """
    last: dict[tuple[Any, str], Mapping[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["at"], row["event_id"])):
        if row["at"] <= at:
            last[row["profile_id"], row["program_id"]] = row
    since: dict[str, int] = {}
    for (_, program), row in last.items():
        if row["joined"]:
            since[program] = min(row["at"], since.get(program, row["at"]))
    return since


class MemberProgram(BaseModel):
    """A program that the member is in."""

    program: str
    joined_at: datetime | None = Field(
        description="Null: the member joined none, and so belongs to the default program."
    )
    default: bool = Field(description="Whether it is the default program.")


@projection.query("/v1/members/{member_id}/programs", scope="points:read")
async def programs_of(
    read: Read, member: Subject, as_of: Moment | None = None
) -> list[MemberProgram]:
    """The points programs that the member is in, now or at `as_of`."""
    default = read.setting(SETTING)
    rows = await read.rows(membership, profile_id=list(member.ids))
    since = joined_at(rows, micros(as_of or datetime.now(UTC)))
    if not since:
        return [MemberProgram(program=default, joined_at=None, default=True)]
    return [
        MemberProgram(program=program, joined_at=instant(at), default=program == default)
        for program, at in sorted(since.items())
    ]
