"""The review routes: duplicate search, the queue, one case, decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from services.deciding.endpoint import CommandRoute, Door, NamedById, Sent, path_id, read_as
from services.deciding.profiles import UNSEEN
from services.http.bearer import token_of
from services.http.caller import PURPOSE, caller_of
from services.http.cursors import Cursors, Malformed
from services.http.operation import Operation, Reply, json_body
from services.http.parameters import parameters_of, sent_in_query, unprocessable
from services.http.problem import Refuse
from services.http.problem_type import BUILDING, NOT_FOUND, UNPROCESSABLE
from services.identity.index import ProfileIndex
from services.identity.review import evidence, queue
from services.identity.review.answers import (
    CASE_CLOSED,
    NO_SUCH_CASE,
    NO_SUCH_PROFILE,
    NOT_LINKED,
    NOTHING_KNOWN,
    ONLY_PROFILE,
    Case,
    Cases,
    Twins,
    VerdictAnswer,
)
from services.identity.review.commands import (
    CaseBody,
    OfCase,
    OfPair,
    PairBody,
    SplitBody,
    SplitMember,
    Verdict,
)
from services.identity.review.search import SearchBody, person_of, twins
from services.reading.database import PostgresAway, ReadSnapshot
from services.reading.personal import PersonalValues
from services.runtime.db import Pool
from services.runtime.keys import SubjectKeys

SEARCH, REVIEW, DECIDE = "identity:search", "identity:review", "identity:decide"
BASE = "/v1/identity"
CASES = BASE + "/cases"
MEMBERS = "select profile_id, member_id from member_group where profile_id = any(%(ids)s::uuid[])"
NEXT = dict.fromkeys(("getCase", "linkCase", "declineCase"), "cases/0/case_id")
LIMIT_DEFAULT, LIMIT_MAX = 50, 200


ROUTE = CommandRoute(DECIDE, "identity")


class CasesQuery(BaseModel):
    """Query parameters of the queue."""

    model_config = ConfigDict(extra="forbid")
    state: queue.State = Field(
        "open",
        description="`open`, or `closed`: decided by staff, linked by rule, or evidence gone.",
    )
    kind: list[queue.Kind] = Field(
        [], description="Kinds of open entries; all if absent. Closed cases are always pairs."
    )
    profile_id: UUID | None = Field(None, description="Only entries that concern this profile.")
    limit: int = Field(LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="Entries per page, at most.")
    cursor: str | None = Field(None, description="`next` of the previous page.")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the routes share; `everybody` returns the index, None while it is not complete."""

    door: Door
    pool: Pool
    group: str
    keys: SubjectKeys
    blind_key: bytes
    cursors: Cursors
    everybody: Callable[[], ProfileIndex | None]

    def known(self) -> ProfileIndex:
        """The index; raises a refusal (503) while it is not complete."""
        found = self.everybody()
        if found is None:
            detail = "Profiles cannot be compared: no rules are in force, or the index is loading."
            raise Refuse(503, "Service Unavailable", detail, retry_after=5)
        return found

    def snapshot(self) -> ReadSnapshot:
        return ReadSnapshot(self.pool, [self.group])


def operations(desk: Desk) -> list[Operation]:
    """The operations: duplicate search, queue, one case, and the POST routes for decisions."""

    async def search(request: Request) -> Response:
        await token_of(request, desk.door.tokens, SEARCH)
        desk.door.check_built()
        body = await read_as(request, SearchBody)
        person = person_of(body, desk.blind_key)
        everybody = desk.known()
        return await _reading(desk, lambda snapshot: _twins(snapshot, everybody, person, body))

    async def cases(request: Request) -> Response:
        await token_of(request, desk.door.tokens, REVIEW)
        desk.door.check_built()
        asked = _asked(request, desk.cursors)
        version = desk.known().version
        return await _reading(desk, lambda snapshot: _page(snapshot, version, asked, desk.cursors))

    async def case(request: Request) -> Response:
        caller = await caller_of(request, desk.door.tokens, REVIEW)
        desk.door.check_built()
        case_id = path_id(request)
        clear = PersonalValues(desk.keys, caller)
        answer = await _reading(
            desk, lambda snapshot: evidence.case_of(snapshot, clear, desk.everybody(), case_id)
        )
        clear.account(CASES + "/{id}")
        return answer

    return [
        Operation(
            method="POST", path=BASE + "/search", name="searchTwins", tag="identity",
            summary="Finds profiles like a new customer; stores nothing",
            scope=SEARCH, endpoint=search,
            body=json_body(SearchBody, {"name_kana": "ヤマダ ハナコ"}),
            replies={200: Reply(Twins, "Likely profiles, likeliest first.")}, problems=(BUILDING,),
        ),
        Operation(
            method="GET", path=CASES, name="listCases", summary="Lists the cases to review",
            tag="identity", scope=REVIEW, endpoint=cases, parameters=CasesQuery,
            replies={200: Reply(Cases, "A page of the queue.", links=NEXT)},
            problems=(BUILDING, NOTHING_KNOWN, UNPROCESSABLE),
        ),
        Operation(
            method="GET", path=CASES + "/{id}", name="getCase", tag="identity", scope=REVIEW,
            summary="One case: its profiles, field by field", endpoint=case,
            parameters=NamedById, headers=(PURPOSE,), replies={200: Reply(Case, "The case.")},
            problems=(BUILDING, NO_SUCH_CASE, NOT_FOUND, UNPROCESSABLE),
        ),
        *_decisions(desk.door),
    ]  # fmt: skip


def _decisions(door: Door) -> list[Operation]:
    case, pair = (NO_SUCH_CASE, NOT_FOUND, CASE_CLOSED), (NO_SUCH_PROFILE,)
    decided = Reply(VerdictAnswer, "The decision is stored; its events are in the outbox.")
    return [
        ROUTE.at(door, CASES + "/{id}/link", "linkCase",
                 "Decides that the two profiles of a case are one person",
                 CaseBody, _of_case("link"), decided, *case),
        ROUTE.at(door, CASES + "/{id}/decline", "declineCase",
                 "Decides that the two profiles of a case are not one person, given its evidence",
                 CaseBody, _of_case("decline"), decided, *case),
        ROUTE.at(door, BASE + "/links", "linkProfiles",
                 "Decides that any two profiles are one person",
                 PairBody, lambda body, _: OfPair("link", body), decided, *pair),
        ROUTE.at(door, BASE + "/declines", "declineProfiles",
                 "Decides that any two profiles are not one person",
                 PairBody, lambda body, _: OfPair("decline", body), decided, *pair),
        ROUTE.at(door, BASE + "/unlinks", "unlinkProfiles",
                 "Decides that two profiles of one member are not one person",
                 PairBody, lambda body, _: OfPair("unlink", body), decided, *pair, NOT_LINKED),
        ROUTE.at(door, BASE + "/splits", "splitMember",
                 "Splits one profile from the rest of its member",
                 SplitBody, lambda body, _: SplitMember(body), decided, *pair, ONLY_PROFILE),
    ]  # fmt: skip


def _of_case(verdict: Verdict) -> Callable[[CaseBody, Sent], OfCase]:
    return lambda body, sent: OfCase(sent.id, verdict, body)


async def _twins(
    snapshot: ReadSnapshot, everybody: ProfileIndex, person: Any, body: SearchBody
) -> dict[str, Any]:
    found = twins(everybody, person, body.limit)
    ids = [UUID(bytes=one["profile_id"]) for one in found]
    rows = await snapshot.rows(MEMBERS, {"ids": ids}) if ids else []
    members = {row["profile_id"]: row["member_id"] for row in rows}
    for one, profile_id in zip(found, ids, strict=True):
        one |= {"profile_id": profile_id, "member_id": members.get(profile_id, profile_id)}
    return {"rule_version": everybody.version, "twins": found}


async def _page(
    snapshot: ReadSnapshot, version: str, asked: queue.QueueQuery, cursors: Cursors
) -> dict[str, Any]:
    found, last = await queue.page(snapshot, version, asked)
    nothing = asked.profile_id is not None and not found and not asked.after
    if nothing and await snapshot.rows(UNSEEN, {"ids": [asked.profile_id]}):
        raise Refuse.of(NOTHING_KNOWN, "Nothing is known of that profile.")
    return {"cases": found, "next": cursors.write(CASES, last) if last else None}


async def _reading(desk: Desk, work: Callable[[ReadSnapshot], Any]) -> Response:
    snapshot = desk.snapshot()
    try:
        said = await work(snapshot)
    except PostgresAway as error:
        detail = f"Postgres cannot be read now: {error}."
        raise Refuse(503, "Service Unavailable", detail, retry_after=1) from None
    finally:
        snapshot.close()
    if said is None:
        raise Refuse.of(NO_SUCH_CASE, "There is no such case.")
    said["position"] = snapshot.position(desk.group)
    return Response(to_json(said), media_type="application/json")


def _asked(request: Request, cursors: Cursors) -> queue.QueueQuery:
    asked = parameters_of(request, CasesQuery, sent_in_query(request), lists=("kind",))
    after: list[Any] = []
    if asked["cursor"] is not None:
        try:
            after = cursors.read(CASES, asked["cursor"])
        except Malformed:
            reason = "is not a cursor of this address"
            unprocessable([{"pointer": "/query/cursor", "reason": reason}])
    kinds = tuple(asked["kind"] or queue.KINDS)
    return queue.QueueQuery(asked["state"], kinds, asked["profile_id"], asked["limit"], after)
