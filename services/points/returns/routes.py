"""POST /v1/points/returns: decides which points a return takes back and gives back.

The decision is stored and its events are sent; with `dry_run` nothing is stored.
"""

from __future__ import annotations

from services.deciding.endpoint import Door, Sent
from services.http.operation import Operation, Reply
from services.points.holds.answers import UNKNOWN_PROFILE
from services.points.holds.routes import ROUTE
from services.points.returns.answers import PROBLEMS, ReturnedPoints
from services.points.returns.commands import ReturnBody, ReturnRequest

RETURNS = "/v1/points/returns"


def operations(door: Door) -> list[Operation]:
    """POST; idempotent by key."""
    return [
        ROUTE.at(
            door, RETURNS, "returnPoints",
            "Goods come back: take points back, give points back", ReturnBody, _command,
            Reply(ReturnedPoints, "What becomes of points."), UNKNOWN_PROFILE, *PROBLEMS,
        )
    ]  # fmt: skip


def _command(body: ReturnBody, _sent: Sent) -> ReturnRequest:
    return ReturnRequest(body)
