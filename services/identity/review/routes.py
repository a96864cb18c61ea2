"""Which addresses answer who is who, and what staff has to decide?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.deciding.endpoint import Body, Door, Sent, read_as, uuid_of
from services.deciding.profiles import UNSEEN
from services.http.bearer import token_of
from services.http.caller import caller_of
from services.http.cursors import Cursors, Malformed
from services.http.problem import FieldError, Refuse
from services.identity.index import Everybody
from services.identity.review import evidence, queue
from services.identity.review.commands import (
    CaseBody,
    OfCase,
    OfPair,
    PairBody,
    Split,
    SplitBody,
    Verdict,
)
from services.identity.review.search import SearchBody, person_of, twins
from services.reading.database import Away, Snapshot
from services.reading.personal import Clear
from services.runtime.db import Pool
from services.runtime.keys import SubjectKeys

SEARCH, REVIEW, DECIDE = "identity:search", "identity:review", "identity:decide"
BASE = "/v1/identity"
CASES = BASE + "/cases"
MEMBERS = "select profile_id, member_id from member_group where profile_id = any(%(ids)s::uuid[])"
LIMIT_DEFAULT, LIMIT_MAX = 50, 200


@dataclass(frozen=True, slots=True)
class Desk:
    """What answers are made with; `everybody` is None until all are known."""

    door: Door
    pool: Pool
    group: str
    keys: SubjectKeys
    blind_key: bytes
    cursors: Cursors
    everybody: Callable[[], Everybody | None]

    def known(self) -> Everybody:
        """Everybody, or a refusal."""
        found = self.everybody()
        if found is None:
            detail = "Nobody can be compared now: there are no rules in force, or they are loading."
            raise Refuse(503, "Service Unavailable", detail, retry_after=5)
        return found

    def snapshot(self) -> Snapshot:
        return Snapshot(self.pool, [self.group])


def routes(desk: Desk) -> list[Route]:
    """Search, the queue, one case; POST to decide."""

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
        case_id = uuid_of(request.path_params["id"], "The case's id")
        clear = Clear(desk.keys, caller)
        answer = await _reading(
            desk, lambda snapshot: evidence.case_of(snapshot, clear, desk.everybody(), case_id)
        )
        clear.account(CASES + "/{id}")
        return answer

    def post(path: str, kind: type[Body], command: Callable[[Body, Sent], Any]) -> Route:
        async def answer(request: Request) -> Response:
            return await desk.door.take(request, DECIDE, kind, command)

        return Route(path, answer, methods=["POST"])

    return [
        Route(BASE + "/search", search, methods=["POST"]),
        Route(CASES, cases, methods=["GET"]),
        Route(CASES + "/{id}", case, methods=["GET"]),
        post(CASES + "/{id}/link", CaseBody, _of_case("link")),
        post(CASES + "/{id}/decline", CaseBody, _of_case("decline")),
        post(BASE + "/links", PairBody, lambda body, _: OfPair("link", body)),
        post(BASE + "/declines", PairBody, lambda body, _: OfPair("decline", body)),
        post(BASE + "/unlinks", PairBody, lambda body, _: OfPair("unlink", body)),
        post(BASE + "/splits", SplitBody, lambda body, _: Split(body)),
    ]


def _of_case(verdict: Verdict) -> Callable[[CaseBody, Sent], OfCase]:
    return lambda body, sent: OfCase(uuid_of(sent.path["id"], "The case's id"), verdict, body)


async def _twins(
    snapshot: Snapshot, everybody: Everybody, person: Any, body: SearchBody
) -> dict[str, Any]:
    found = twins(everybody, person, body.limit)
    ids = [UUID(bytes=one["profile_id"]) for one in found]
    rows = await snapshot.rows(MEMBERS, {"ids": ids}) if ids else []
    members = {row["profile_id"]: row["member_id"] for row in rows}
    for one, profile_id in zip(found, ids, strict=True):
        one |= {"profile_id": profile_id, "member_id": members.get(profile_id, profile_id)}
    return {"rule_version": everybody.version, "twins": found}


async def _page(
    snapshot: Snapshot, version: str, asked: queue.Asked, cursors: Cursors
) -> dict[str, Any]:
    found, last = await queue.page(snapshot, version, asked)
    nothing = asked.profile_id is not None and not found and not asked.after
    if nothing and await snapshot.rows(UNSEEN, {"ids": [asked.profile_id]}):
        raise Refuse(404, "Not Found", "Nothing is known of that profile.")
    return {"cases": found, "next": cursors.write(CASES, last) if last else None}


async def _reading(desk: Desk, work: Callable[[Snapshot], Any]) -> Response:
    snapshot = desk.snapshot()
    try:
        said = await work(snapshot)
    except Away as error:
        detail = f"Postgres cannot be read now: {error}."
        raise Refuse(503, "Service Unavailable", detail, retry_after=1) from None
    finally:
        snapshot.close()
    if said is None:
        raise Refuse(404, "Not Found", "There is no such case.")
    said["position"] = snapshot.position(desk.group)
    return Response(to_json(said), media_type="application/json")


def _asked(request: Request, cursors: Cursors) -> queue.Asked:
    given = request.query_params
    errors: list[FieldError] = [
        {"pointer": f"/query/{name}", "reason": "there is no such parameter"}
        for name in given
        if name not in ("state", "kind", "profile_id", "limit", "cursor")
    ]
    state, kinds = given.get("state", "open"), given.getlist("kind") or list(queue.KINDS)
    if state not in ("open", "closed"):
        errors.append({"pointer": "/query/state", "reason": "must be open or closed"})
    if any(kind not in queue.KINDS for kind in kinds):
        reason = f"must be one of {', '.join(queue.KINDS)}"
        errors.append({"pointer": "/query/kind", "reason": reason})
    limit, profile_id, after = LIMIT_DEFAULT, None, []
    try:
        limit = int(given.get("limit", LIMIT_DEFAULT))
    except ValueError:
        limit = 0
    if not 1 <= limit <= LIMIT_MAX:
        errors.append({"pointer": "/query/limit", "reason": f"must be 1 to {LIMIT_MAX}"})
    try:
        profile_id = UUID(given["profile_id"]) if "profile_id" in given else None
    except ValueError:
        errors.append({"pointer": "/query/profile_id", "reason": "is not a UUID"})
    try:
        after = cursors.read(CASES, given["cursor"]) if "cursor" in given else []
    except Malformed:
        errors.append({"pointer": "/query/cursor", "reason": "is not a cursor of this address"})
    if errors:
        detail = "The address asks for what it cannot; see `errors`."
        raise Refuse(422, "Unprocessable Entity", detail, errors=errors)
    return queue.Asked(state, tuple(kinds), profile_id, limit, after)  # type: ignore[arg-type]
