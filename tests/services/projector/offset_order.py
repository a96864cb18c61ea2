"""Which verdict must each record get? Said once more, in offset order, without the projector."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

APPLIED, DUPLICATE, CONFLICT, DEAD = "applied", "duplicate", "conflict", "dead"
COPY = "copy"  # a duplicate that told a document under another id


@dataclass(frozen=True, slots=True)
class Said:
    """What a record says: an id, a body, and whether any projection or Postgres refuses it.

    `document`: the document that it tells, if it tells one, and what that says.
    """

    event_id: int
    body: str
    refused: bool = False
    document: tuple[int, str] | None = None


def verdicts(partition: Iterable[Said]) -> list[str]:
    """The verdict of every record of a partition whose ids and documents meet no other partition.

    The first record of an id that can be applied is applied. What follows it under that id is a
    resend or a conflict. What tells its document under another id is a copy, which keeps its id as
    an applied record does, or a conflict. A record that is refused leaves no trace: it is no first
    record.
    """
    bodies: dict[int, str] = {}
    documents: dict[int, str] = {}
    judged = []
    for said in partition:
        name, content = said.document or (None, "")
        if said.event_id in bodies:
            judged.append(DUPLICATE if bodies[said.event_id] == said.body else CONFLICT)
            continue
        if name is not None and name in documents:
            judged.append(COPY if documents[name] == content else CONFLICT)
        else:
            judged.append(DEAD if said.refused else APPLIED)
        if judged[-1] in (APPLIED, COPY):
            bodies[said.event_id] = said.body
        if judged[-1] == APPLIED and name is not None:
            documents[name] = content
    return judged
