"""What was said to this key before? One key, one decision, one answer: a "no" stays a "no"."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from psycopg import AsyncCursor
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow
from pydantic import Field

from projections.core.instants import written
from services.http.problem_type import ProblemType
from services.runtime.arrays import columns
from services.runtime.db import Connection

# key by key, however few answers there were when it was planned: a plan that reads them all is kept
SAID = """
select a.* from unnest(%s::text[], %s::text[]) as x(client, key), lateral (
    select client, key, body_hash, status, body from hitotsu.answer
    where client = x.client and key = x.key limit 1) a
"""
# in order of key: two processes that are sent the same keys wait for each other, never crosswise
KEEP = """
insert into hitotsu.answer (client, key, body_hash, status, body)
select * from unnest(%s::text[], %s::text[], %s::bytea[], %s::smallint[], %s::text[])
    as x(client, key, body_hash, status, body)
order by client, key
"""
_KEPT = ("text", "text", "bytea", "smallint", "text")


def _plain(value: Any) -> str:
    """Instants as RFC 3339 has them, the way the read API writes them; ids as text."""
    return written(value) if isinstance(value, datetime) else str(value)


_encoded = json.JSONEncoder(ensure_ascii=False, default=_plain).encode


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and what stands in the body."""

    status: int
    body: str

    @classmethod
    def of(cls, status: int, said: Mapping[str, Any], rest: str = "") -> Answer:
        """`said` as JSON, and after it the `rest` that several answers share (see `rest_of`)."""
        return cls(status, f"{_encoded(said)[:-1]}{rest}}}")


def rest_of(said: Mapping[str, Any]) -> str:
    """What follows the first members of an object: said once for a whole batch."""
    return f", {_encoded(said)[1:-1]}"


@dataclass(frozen=True, slots=True)
class Keyed:
    """A command, under the key that its sender gave it; without one nothing is kept (a dry run)."""

    client: str
    key: str | None
    body_hash: bytes
    command: Any


Position = Annotated[
    dict[str, Annotated[int, Field(ge=0)]],
    Field(description="Topic-partition -> next offset of what the decision was made from."),
]
POSITION = {"position": Position}
EXPIRED = ProblemType(
    "expired", 409, "Conflict", "The hold's time was over before it was resolved.", POSITION
)
RESOLVED = ProblemType(
    "resolved", 409, "Conflict", "The hold was resolved or ended before; each is resolved once.",
    POSITION,
)  # fmt: skip
KEY_REUSED = ProblemType(
    "key-reused", 422, "Key used for another command",
    "The Idempotency-Key was sent before with another body or address.",
)  # fmt: skip


def refused(
    problem: ProblemType, detail: str, said: Mapping[str, Any] | None = None, rest: str = ""
) -> Answer:
    """A decided "no" as HTTP has it; the only place where one becomes a problem.

    `detail`: a sentence about this case; `said`: the problem's own members; `rest`: what several
    answers share, see `rest_of`.
    """
    head = {"type": problem.uri, "title": problem.title, "status": problem.status}
    return Answer.of(problem.status, {**head, "detail": detail, **(said or {})}, rest)


OTHER_BODY = refused(
    KEY_REUSED, "This Idempotency-Key was sent before with another body or address."
)


async def asked_before(
    connection: Connection, batch: Sequence[Keyed]
) -> AsyncCursor[TupleRow] | None:
    """Asks for what was said to these keys, and waits for nothing; None where there is no key."""
    keyed = [each for each in batch if each.key is not None]
    if not keyed:
        return None
    asked = columns(("text", "text"), [(each.client, each.key) for each in keyed])
    return await connection.execute(SAID, asked, prepare=False)


async def said_before(
    asked: AsyncCursor[TupleRow] | None, batch: Sequence[Keyed]
) -> dict[int, Answer]:
    """What was said to keys that are known, by place in the batch."""
    rows = await asked.fetchall() if asked is not None else []
    said = {(row[0], row[1]): row for row in rows}
    found = {}
    for place, each in enumerate(batch):
        row = said.get((each.client, each.key or ""))
        if row is not None and each.key is not None:
            _, _, body_hash, status, body = row
            found[place] = Answer(status, body) if body_hash == each.body_hash else OTHER_BODY
    return found


async def keep(connection: Connection, said: Sequence[tuple[Keyed, Answer]]) -> None:
    """Stores answers under their keys, and does not wait for it.

    Where another process decided one of the keys meanwhile, the transaction ends with a violated
    key (see `taken`): that one's answer stands, and nothing of these decisions.
    """
    kept = [(each, answer) for each, answer in said if each.key is not None]
    if not kept:
        return
    rows = [(each.client, each.key, each.body_hash, said.status, said.body) for each, said in kept]
    await connection.execute(KEEP, columns(_KEPT, rows))


def taken(error: Exception) -> bool:
    """Whether another process decided one of the keys meanwhile."""
    return isinstance(error, UniqueViolation) and error.diag.table_name == "answer"
