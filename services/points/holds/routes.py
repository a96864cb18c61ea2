"""Which addresses answer commands about points?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.deciding.answers import Answer
from services.deciding.endpoint import Body, Door, Sent, respond, uuid_of, within_channel
from services.http.bearer import token_of
from services.http.problem import Refuse
from services.points.holds.commands import (
    Capture,
    CaptureBody,
    Hold,
    HoldBody,
    Redeem,
    RedeemBody,
    Release,
    ReleaseHoldBody,
)
from services.runtime.db import Pool
from services.runtime.rows import rows_of

BASE, REDEMPTIONS = "/v1/points/holds", "/v1/points/redemptions"
WRITE, READ = "points:redeem", "points:read"
STATE = """
select profile_id, lot_id, points, whose, channel, transaction_id, expires_at,
    case when state = 'open' and expires_at <= clock_timestamp() then 'expired' else state end
        as state
from hitotsu.points_hold where id = %s order by place
"""


def routes(door: Door, postgres: Pool) -> list[Route]:
    """POST to hold, capture, release or redeem; GET what became of a hold."""

    def post(path: str, kind: type[Body], command: Callable[[Body, Sent], Any]) -> Route:
        async def answer(request: Request) -> Response:
            return await door.take(request, WRITE, kind, command)

        return Route(path, answer, methods=["POST"])

    async def state(request: Request) -> Response:
        await token_of(request, door.tokens, READ)
        return await _state(postgres, request.path_params["id"])

    return [
        post(BASE, HoldBody, _hold),
        post(REDEMPTIONS, RedeemBody, _redeem),
        post(BASE + "/{id}/capture", CaptureBody, lambda body, sent: Capture(_named(sent), body)),
        post(
            BASE + "/{id}/release", ReleaseHoldBody, lambda body, sent: Release(_named(sent), body)
        ),
        Route(BASE + "/{id}", state, methods=["GET"]),
    ]


def _hold(body: HoldBody, sent: Sent) -> Hold:
    within_channel(sent.token, body.channel)
    return Hold(sent.made_id, sent.token.name, body)


def _redeem(body: RedeemBody, sent: Sent) -> Redeem:
    within_channel(sent.token, body.channel)
    return Redeem(sent.made_id, sent.token.name, body)


def _release(body: ReleaseHoldBody, sent: Sent) -> Release:
    return Release(_named(sent), body)


def _named(sent: Sent) -> Any:
    return uuid_of(sent.path["id"], "The hold's id")


async def _state(postgres: Pool, text: str) -> Response:
    hold_id = uuid_of(text, "The hold's id")
    async with postgres.connection() as connection:
        rows = await rows_of(connection, STATE, [hold_id])
    if not rows:
        raise Refuse(404, "Not Found", "There is no such hold.")
    names = ("state", "channel", "transaction_id", "expires_at")
    common = {name: rows[0][name] for name in names}
    lots = [{name: row[name] for name in ("profile_id", "lot_id", "points")} for row in rows]
    points = sum(row["points"] for row in rows)
    said = {"hold_id": hold_id, "profile_id": rows[0]["whose"], "points": points, **common}
    return respond(Answer.of(200, {**said, "allocations": lots}))
