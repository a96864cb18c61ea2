"""The routes that hold, capture, release and redeem points, and show a hold."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from services.deciding.answers import EXPIRED, RESOLVED, Answer
from services.deciding.endpoint import (
    CommandRoute,
    Door,
    NamedById,
    Sent,
    path_id,
    respond,
    within_channel,
)
from services.http.bearer import token_of
from services.http.operation import Operation, Reply
from services.http.problem import Refuse
from services.http.problem_type import NOT_FOUND, UNPROCESSABLE
from services.points.holds.answers import (
    INSUFFICIENT_POINTS,
    NO_SUCH_HOLD,
    UNKNOWN_PROFILE,
    CapturedPoints,
    HeldPoints,
    PointsHold,
    RedeemedPoints,
    ReleasedPoints,
)
from services.points.holds.commands import (
    Capture,
    CaptureBody,
    Hold,
    HoldBody,
    Redeem,
    RedeemBody,
    ReleaseHold,
    ReleaseHoldBody,
)
from services.points.program.programs import USUAL, Programs
from services.runtime.db import Pool
from services.runtime.rows import rows_of

NEXT = ("capturePoints", "releasePoints", "pointsHold")
BASE, REDEMPTIONS = "/v1/points/holds", "/v1/points/redemptions"
WRITE, READ = "points:redeem", "points:read"
ROUTE = CommandRoute(WRITE, "points")
STATE = """
select profile_id, lot_id, points, whose, channel, transaction_id, expires_at, program_id,
    case when state = 'open' and expires_at <= clock_timestamp() then 'expired' else state end
        as state
from hitotsu.points_hold where id = %s order by place
"""


def operations(door: Door, postgres: Pool, programs: Programs = USUAL) -> list[Operation]:
    """POST to hold, capture, release or redeem; GET a hold's state."""

    async def state(request: Request) -> Response:
        await token_of(request, door.tokens, READ)
        return await _state(postgres, path_id(request), programs)

    ended = (NO_SUCH_HOLD, NOT_FOUND, EXPIRED, RESOLVED)
    return [
        ROUTE.at(
            door, BASE, "holdPoints", "Hold points for a while", HoldBody, _hold,
            Reply(HeldPoints, "The points are held.", links=dict.fromkeys(NEXT, "hold_id")),
            UNKNOWN_PROFILE, INSUFFICIENT_POINTS, status=201,
        ),
        ROUTE.at(
            door, REDEMPTIONS, "redeemPoints", "Spend points without an earlier hold", RedeemBody,
            _redeem,
            Reply(RedeemedPoints, "The points are spent."), UNKNOWN_PROFILE, INSUFFICIENT_POINTS,
        ),
        ROUTE.at(
            door, BASE + "/{id}/capture", "capturePoints", "Spend all or some points of a hold",
            CaptureBody, lambda body, sent: Capture(sent.id, body),
            Reply(CapturedPoints, "The points are spent."), *ended, INSUFFICIENT_POINTS,
        ),
        ROUTE.at(
            door, BASE + "/{id}/release", "releasePoints", "End a hold of points", ReleaseHoldBody,
            lambda body, sent: ReleaseHold(sent.id, body),
            Reply(ReleasedPoints, "The points can be spent again."), *ended,
        ),
        Operation(
            method="GET", path=BASE + "/{id}", name="pointsHold", tag="points", scope=READ,
            summary="The state of a hold of points", endpoint=state, parameters=NamedById,
            replies={200: Reply(PointsHold, "State, points and lots of the hold.")},
            problems=(NO_SUCH_HOLD, NOT_FOUND, UNPROCESSABLE),
        ),
    ]  # fmt: skip


def _hold(body: HoldBody, sent: Sent) -> Hold:
    within_channel(sent.token, body.channel)
    return Hold(sent.made_id, sent.token.name, body)


def _redeem(body: RedeemBody, sent: Sent) -> Redeem:
    within_channel(sent.token, body.channel)
    return Redeem(sent.made_id, sent.token.name, body)


async def _state(postgres: Pool, hold_id: UUID, programs: Programs) -> Response:
    async with postgres.connection() as connection:
        rows = await rows_of(connection, STATE, [hold_id])
    if not rows:
        raise Refuse.of(NO_SUCH_HOLD, "There is no hold with this id.")
    names = ("state", "channel", "transaction_id", "expires_at")
    common = {name: rows[0][name] for name in names}
    lots = [{name: row[name] for name in ("profile_id", "lot_id", "points")} for row in rows]
    points = sum(row["points"] for row in rows)
    said = {
        "hold_id": hold_id, "profile_id": rows[0]["whose"], "points": points,
        "program": programs.of(rows[0]["program_id"]).id, **common,
    }  # fmt: skip
    return respond(Answer.of(200, {**said, "allocations": lots}))
