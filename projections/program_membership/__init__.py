"""The table of who joined or left which points program, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from projections.core import Projection, Row, View, plain
from schemas.generated.events import ProgramJoined, ProgramLeft

projection = Projection("program_membership", version=1)
membership = projection.ledger(
    "program_membership",
    profile_id=plain("uuid"),
    program_id=plain("text"),
    joined=plain("boolean"),
    at=plain("bigint"),
    view=View(by=("profile_id",)),
)


@projection.on(ProgramJoined, ProgramLeft)
def moved(event: ProgramJoined | ProgramLeft) -> Iterator[Row]:
    yield membership(
        profile_id=event.profile_id,
        program_id=event.program_id,
        joined=isinstance(event, ProgramJoined),
        at=event.meta.occurred_at,
    )


def joined_at(rows: Iterable[Mapping[str, Any]], at: int) -> dict[str, int]:
    """The programs in which these profiles are at `at`, and since when; microseconds.

    `rows`: of the table, in any order. Of several profiles the earliest joining counts; of what was
    told of one time, what has the greatest event id.
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
