"""The query about programs of points: which a member is in.

A member is in a program while any of its profiles is: the last that was told of the profile, up to
that time, is that it joined. A member who is in none belongs to the default program.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, Field

from projections.core import Read, Subject
from projections.core.instants import Moment, instant, micros
from projections.program_membership import joined_at, membership, projection

SETTING = "default_program"  # the setting that names the default program


class MemberProgram(BaseModel):
    """A program that the member is in."""

    program: str
    joined_at: datetime | None = Field(
        description="Null: the member joined none, and so belongs to the default program."
    )
    default: bool = Field(description="Whether it is the default program.")


@projection.query("/v1/members/{member_id}/programs", scope="points:read", part="programs")
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
