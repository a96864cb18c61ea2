"""Which verdict must each record get? Said once more, in offset order, without the projector."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

APPLIED, DUPLICATE, CONFLICT, DEAD = "applied", "duplicate", "conflict", "dead"


@dataclass(frozen=True, slots=True)
class Said:
    """What a record says: an id, a body, and whether any projection or Postgres refuses it."""

    event_id: int
    body: str
    refused: bool = False


def verdicts(partition: Iterable[Said]) -> list[str]:
    """The verdict of every record of a partition whose ids meet no other partition.

    The first record of an id that can be applied is applied. What follows it under that id is a
    resend or a conflict. A record that is refused leaves no trace: it is no first record.
    """
    applied: dict[int, str] = {}
    judged = []
    for said in partition:
        if said.event_id in applied:
            judged.append(DUPLICATE if applied[said.event_id] == said.body else CONFLICT)
        elif said.refused:
            judged.append(DEAD)
        else:
            applied[said.event_id] = said.body
            judged.append(APPLIED)
    return judged
