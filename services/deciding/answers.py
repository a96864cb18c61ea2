"""What was said to this key before? One key, one decision, one answer: a "no" stays a "no"."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

Connection = AsyncConnection[TupleRow]

# in order of key: two processes that are sent the same keys wait for each other, never crosswise
CLAIM = """
insert into hitotsu.answer (client, key, body_hash)
select * from unnest(%s::text[], %s::text[], %s::bytea[]) as x(client, key, body_hash)
order by client, key
on conflict do nothing returning client, key
"""
SAID = """
select a.client, a.key, a.body_hash, a.status, a.body from hitotsu.answer a
join unnest(%s::text[], %s::text[]) as x(client, key) using (client, key)
"""
KEEP = """
update hitotsu.answer a set status = x.status, body = x.body
from unnest(%s::text[], %s::text[], %s::smallint[], %s::text[]) as x(client, key, status, body)
where a.client = x.client and a.key = x.key
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and what stands in the body."""

    status: int
    body: str

    @classmethod
    def of(cls, status: int, said: Mapping[str, Any]) -> Answer:
        return cls(status, json.dumps(said, ensure_ascii=False, default=str))


@dataclass(frozen=True, slots=True)
class Keyed:
    """A command, under the key that its sender gave it; without one nothing is kept (a dry run)."""

    client: str
    key: str | None
    body_hash: bytes
    command: Any


OTHER_BODY = Answer.of(
    422,
    {
        "type": "/problems/unprocessable-entity",
        "title": "Key used for another command",
        "status": 422,
        "detail": "This Idempotency-Key was sent before with another body or address.",
    },
)


async def claim(connection: Connection, batch: Sequence[Keyed]) -> dict[int, Answer]:
    """Takes the keys; gives back, by place in the batch, what was said to those taken before."""
    keyed = [each for each in batch if each.key is not None]
    if not keyed:
        return {}
    columns = [[each.client for each in keyed], [each.key for each in keyed]]
    hashes = [each.body_hash for each in keyed]
    rows = await (await connection.execute(CLAIM, [*columns, hashes])).fetchall()
    new = {(client, key) for client, key in rows}
    if len(new) == len(keyed):
        return {}
    rows = await (await connection.execute(SAID, columns)).fetchall()
    said = {(row[0], row[1]): row for row in rows}
    found = {}
    for place, each in enumerate(batch):
        if each.key is None or (each.client, each.key) in new:
            continue
        _, _, body_hash, status, body = said[each.client, each.key]
        found[place] = Answer(status, body) if body_hash == each.body_hash else OTHER_BODY
    return found


async def keep(connection: Connection, said: Sequence[tuple[Keyed, Answer]]) -> None:
    """Stores answers under the keys just taken."""
    kept = [(each, answer) for each, answer in said if each.key is not None]
    if kept:
        await connection.execute(
            KEEP,
            [
                [each.client for each, _ in kept], [each.key for each, _ in kept],
                [answer.status for _, answer in kept], [answer.body for _, answer in kept],
            ],
        )  # fmt: skip
