"""Answers of commands, stored under their idempotency keys, so that a key is decided once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Annotated, Any

from psycopg import AsyncCursor
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow
from pydantic import BaseModel, Field

from projections.core.instants import written
from services.deciding.outcomes import (
    AcceptedCommand,
    CommandOutcome,
    DeniedCommand,
    KeyReused,
)
from services.http.problem_type import ProblemType
from services.runtime.arrays import columns
from services.runtime.db import Connection

# a lateral join by key: a plan cached while the table was small would stay a sequential scan
SAID = """
select a.* from unnest(%s::text[], %s::text[]) as x(client, key), lateral (
    select client, key, body_hash, status, body from hitotsu.answer
    where client = x.client and key = x.key limit 1) a
"""
# sorted by key, so that two processes with the same keys wait but never deadlock
KEEP = """
insert into hitotsu.answer (client, key, body_hash, status, body)
select * from unnest(%s::text[], %s::text[], %s::bytea[], %s::smallint[], %s::text[])
    as x(client, key, body_hash, status, body)
order by client, key
"""
_KEPT = ("text", "text", "bytea", "smallint", "text")


def _plain(value: Any) -> str:
    """Writes times in RFC 3339, as the read API does, and all other values by `str`."""
    return written(value) if isinstance(value, datetime) else str(value)


_encoded = json.JSONEncoder(ensure_ascii=False, default=_plain).encode


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a JSON body."""

    status: int
    body: str

    @classmethod
    def of(cls, status: int, said: Mapping[str, Any], rest: str = "") -> Answer:
        """Makes the body from the members in `said`, then `rest` (see `rest_of`)."""
        return cls(status, f"{_encoded(said)[:-1]}{rest}}}")


def rest_of(said: Mapping[str, Any]) -> str:
    """Serialises members that all answers of a batch share, to be appended to their bodies."""
    return f", {_encoded(said)[1:-1]}"


@dataclass(frozen=True, slots=True)
class Keyed:
    """A command with its caller and idempotency key.

    `key` None (dry run): the answer is not stored. `body_hash`: of the address and the body.
    """

    client: str
    key: str | None
    body_hash: bytes
    command: Any


Position = Annotated[
    dict[str, Annotated[int, Field(ge=0)]],
    Field(
        description="The log position from which it was decided: topic-partition to next offset."
    ),
]
POSITION = {"position": Position}
EXPIRED = ProblemType(
    "expired", 409, "Conflict", "The hold expired before it was resolved.", POSITION
)
RESOLVED = ProblemType(
    "resolved", 409, "Conflict",
    "The hold is not open any more: it was captured, committed or released, or is marked expired.",
    POSITION,
)  # fmt: skip
NO_SUCH_PURCHASE = ProblemType(
    "purchase-not-found", 404, "Not Found",
    "No purchase with this id has been applied (yet).", POSITION,
)  # fmt: skip
KEY_REUSED = ProblemType(
    "key-reused", 422, "Key used for another command",
    "The Idempotency-Key was sent before with another body or address.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Yes:
    """The answer to an accepted command: model of the body, and status (200 for a dry run)."""

    model: type[BaseModel]
    status: int = 200


@dataclass(frozen=True, slots=True)
class _Form:
    """The HTTP answer to a class of outcomes: status, first members, and the outcome's fields.

    `members`: (field name, whether the member is omitted when it is null).
    """

    status: int
    members: tuple[tuple[str, bool], ...]
    head: Mapping[str, Any] = field(default_factory=dict)


class OutcomeAnswers:
    """Maps one domain's outcomes to HTTP answers; denials become problem documents (RFC 9457)."""

    def __init__(
        self,
        accepted: Mapping[type[AcceptedCommand], Yes],
        denied: Mapping[type[DeniedCommand], ProblemType],
    ) -> None:
        """Fields of a denial that its problem type does not declare are not part of the answer."""
        self.accepted, self.denied = accepted, denied
        self._forms = dict[type[CommandOutcome], _Form]()
        for kind, yes in accepted.items():
            optional = {name: not one.is_required() for name, one in yes.model.model_fields.items()}
            self._forms[kind] = _Form(yes.status, _members(kind, optional))
        for no, problem in denied.items():
            optional = {name: isinstance(one, tuple) for name, one in problem.members.items()}
            head = {"type": problem.uri, "title": problem.title, "status": problem.status}
            self._forms[no] = _Form(problem.status, _members(no, optional), head)

    def of(self, outcome: CommandOutcome, rest: str = "") -> Answer:
        """The answer to one outcome; `rest`: serialised members to append (see `rest_of`)."""
        form = self._forms[type(outcome)]
        said = dict(form.head)
        if isinstance(outcome, DeniedCommand):
            said["detail"] = outcome.detail
        for name, optional in form.members:
            value = getattr(outcome, name)
            if value is not None or not optional:
                said[name] = value
        return Answer.of(200 if said.get("dry_run") else form.status, said, rest)

    def all_of(
        self, outcomes: Iterable[CommandOutcome], common: Mapping[str, Any] | None = None
    ) -> list[Answer]:
        """The answers to a batch; each ends with the members in `common`."""
        rest = rest_of(common) if common else ""
        return [self.of(outcome, rest) for outcome in outcomes]


def _members(
    kind: type[CommandOutcome], optional: Mapping[str, bool]
) -> tuple[tuple[str, bool], ...]:
    """The fields of the outcome that the answer also has, in the order of the outcome's class."""
    return tuple((one.name, optional[one.name]) for one in fields(kind) if one.name in optional)


OTHER_BODY = OutcomeAnswers({}, {KeyReused: KEY_REUSED}).of(KeyReused())


async def query_stored_answers(
    connection: Connection, batch: Sequence[Keyed]
) -> AsyncCursor[TupleRow] | None:
    """Queries stored answers; in a pipeline it does not wait. None when no command has a key."""
    keyed = [each for each in batch if each.key is not None]
    if not keyed:
        return None
    asked = columns(("text", "text"), [(each.client, each.key) for each in keyed])
    return await connection.execute(SAID, asked, prepare=False)


async def stored_answers(
    asked: AsyncCursor[TupleRow] | None, batch: Sequence[Keyed]
) -> dict[int, Answer]:
    """The stored answers, by the command's index in the batch; commands without one are missing.

    A key that was stored with another body or address gets the answer `key-reused`.
    """
    rows = await asked.fetchall() if asked is not None else []
    said = {(row[0], row[1]): row for row in rows}
    found = {}
    for place, each in enumerate(batch):
        row = said.get((each.client, each.key or ""))
        if row is not None and each.key is not None:
            _, _, body_hash, status, body = row
            found[place] = Answer(status, body) if body_hash == each.body_hash else OTHER_BODY
    return found


async def store_answers(connection: Connection, said: Sequence[tuple[Keyed, Answer]]) -> None:
    """Stores the answers to commands with a key; in a pipeline it does not wait for the result.

    If another process decided one of the keys meanwhile, the transaction fails with a unique
    violation (see `is_key_taken`): the other answer stands, and nothing of this batch is stored.
    """
    kept = [(each, answer) for each, answer in said if each.key is not None]
    if not kept:
        return
    rows = [(each.client, each.key, each.body_hash, said.status, said.body) for each, said in kept]
    await connection.execute(KEEP, columns(_KEPT, rows))


def is_key_taken(error: Exception) -> bool:
    """Whether the error means that another process decided one of the keys meanwhile."""
    return isinstance(error, UniqueViolation) and error.diag.table_name == "answer"
