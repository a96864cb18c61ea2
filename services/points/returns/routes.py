"""The route POST /v1/points/returns: decides which points a return takes back and gives back."""

from __future__ import annotations

from services.deciding.endpoint import Door, Sent
from services.http.operation import Operation, Reply
from services.points.holds.answers import UNKNOWN_PROFILE
from services.points.holds.routes import ROUTE
from services.points.returns.answers import PROBLEMS, ReturnedPoints
from services.points.returns.commands import ReturnBody, ReturnRequest

RETURNS = "/v1/points/returns"


def operations(door: Door) -> list[Operation]:
    """The operation that settles the points of returned goods."""
    return [
        ROUTE.at(
            door, RETURNS, "returnPoints",
            "Take back and give back points for returned goods", ReturnBody, _command,
            Reply(ReturnedPoints, "The effect of the return on points."), UNKNOWN_PROFILE,
            *PROBLEMS,
        )
    ]  # fmt: skip


def _command(body: ReturnBody, _sent: Sent) -> ReturnRequest:
    return ReturnRequest(body)
