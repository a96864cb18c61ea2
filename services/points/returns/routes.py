"""Which address answers what becomes of points when goods come back?"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.deciding.endpoint import Door, Sent
from services.points.holds.routes import WRITE
from services.points.returns.quote import Return, ReturnBody

RETURNS = "/v1/points/returns"


def routes(door: Door) -> list[Route]:
    """POST, once for each key."""

    async def answer(request: Request) -> Response:
        return await door.take(request, WRITE, ReturnBody, _command)

    return [Route(RETURNS, answer, methods=["POST"])]


def _command(body: ReturnBody, _sent: Sent) -> Return:
    return Return(body)
