"""The routes that reserve, extend, commit and release stock, show a reservation, and list
locations.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from projections.catalog import projection as catalog
from projections.core.instants import micros
from schemas.measures import location_and_unit, shown
from services.deciding.answers import EXPIRED, RESOLVED, Answer
from services.deciding.endpoint import (
    CommandRoute,
    Door,
    NamedById,
    Sent,
    path_id,
    read_as,
    respond,
    within_channel,
)
from services.http.bearer import token_of
from services.http.operation import Operation, Reply, json_body
from services.http.problem import Refuse
from services.http.problem_type import BUILDING, NOT_FOUND, UNPROCESSABLE
from services.runtime.db import Pool
from services.runtime.rows import rows_of
from services.stock.answers import (
    NO_SUCH_RESERVATION,
    OUT_OF_STOCK,
    UNPLACED,
    Committed,
    Extended,
    PickedLocations,
    ReleasedUnits,
    Reservation,
    Reserved,
)
from services.stock.commands import (
    Commit,
    CommitBody,
    Extend,
    ExtendBody,
    ReleaseBody,
    ReleaseReservation,
    Reserve,
    ReserveBody,
)
from services.stock.location_choice import PickBody, picked
from services.stock.work import seen

BASE = "/v1/stock/reservations"
NEXT = ("extendStock", "commitStock", "releaseStock", "reservation")
WRITE, READ = "stock:reserve", "stock:read"
ROUTE = CommandRoute(WRITE, "stock")
STATE = """
select sku, location_id, quantity, channel, order_id, expires_at,
    case when state = 'open' and expires_at <= clock_timestamp() then 'expired' else state end
        as state
from hitotsu.stock_hold where id = %s order by sku, location_id
"""
LOCATIONS = """
select location_id, valid_from, kind, name, latitude_e6, longitude_e6 from location
"""


def operations(door: Door, postgres: Pool, group: str) -> list[Operation]:
    """POST to reserve, extend, commit, release; GET a reservation's state; POST to list locations
    that have an order's lines.
    """
    # the locations are the catalog's; reservations do not need them
    picking = replace(door, needs=door.needs | {catalog.name})

    async def state(request: Request) -> Response:
        await token_of(request, door.tokens, READ)
        return await _state(postgres, path_id(request))

    async def pick(request: Request) -> Response:
        token = await token_of(request, door.tokens, READ)
        picking.check_built()
        body = await read_as(request, PickBody)
        within_channel(token, body.channel)
        return respond(await _picked(postgres, body, group))

    return [
        *_commands(door),
        Operation(
            method="GET", path=BASE + "/{id}", name="reservation", tag="stock", scope=READ,
            summary="The state of a reservation", endpoint=state, parameters=NamedById,
            replies={200: Reply(Reservation, "State and lines of the reservation.")},
            problems=(NO_SUCH_RESERVATION, NOT_FOUND, UNPROCESSABLE),
        ),
        Operation(
            method="POST", path="/v1/stock/pick", name="pickLocation", tag="stock", scope=READ,
            summary="Locations that can serve an order; holds nothing", endpoint=pick,
            body=json_body(PickBody),
            replies={200: Reply(PickedLocations, "Locations with enough units, best first.")},
            problems=(BUILDING,),
        ),
    ]  # fmt: skip


def _commands(door: Door) -> list[Operation]:
    ended = (NO_SUCH_RESERVATION, NOT_FOUND, EXPIRED, RESOLVED)
    return [
        ROUTE.at(
            door, BASE, "reserveStock", "Hold units for a while", ReserveBody, _reserve,
            Reply(Reserved, "The units are held.", links=dict.fromkeys(NEXT, "reservation_id")),
            OUT_OF_STOCK, status=201,
        ),
        ROUTE.at(
            door, BASE + "/{id}/extend", "extendStock", "Hold a reservation longer", ExtendBody,
            lambda body, sent: Extend(sent.id, body),
            Reply(Extended, "The reservation holds until `expires_at`."), *ended,
        ),
        ROUTE.at(
            door, BASE + "/{id}/commit", "commitStock", "Commit a reservation to an order",
            CommitBody, lambda body, sent: Commit(sent.id, body),
            Reply(Committed, "The units are committed to the order."),
            *ended, UNPLACED, OUT_OF_STOCK,
        ),
        ROUTE.at(
            door, BASE + "/{id}/release", "releaseStock", "End a reservation", ReleaseBody,
            lambda body, sent: ReleaseReservation(sent.id, body),
            Reply(ReleasedUnits, "The units are available again."), *ended,
        ),
    ]  # fmt: skip


def _reserve(body: ReserveBody, sent: Sent) -> Reserve:
    within_channel(sent.token, body.channel)
    return Reserve(sent.made_id, sent.token.name, body)


async def _picked(postgres: Pool, body: PickBody, group: str) -> Answer:
    """Locations that have every line, best first. Takes no lock: only a reservation holds units."""
    async with (
        postgres.connection() as connection, connection.pipeline(), connection.transaction()
    ):  # fmt: skip
        await connection.execute("set transaction isolation level repeatable read read only")
        shelf, now, position = await seen(connection, [line.sku for line in body.lines], group)
        locations = await rows_of(connection, LOCATIONS, [])
    found = picked(body, shelf, locations, micros(now))
    return Answer.of(200, {"locations": found, "position": position})


async def _state(postgres: Pool, reservation_id: UUID) -> Response:
    async with postgres.connection() as connection:
        rows = await rows_of(connection, STATE, [reservation_id])
    if not rows:
        raise Refuse.of(NO_SUCH_RESERVATION, "There is no reservation with this id.")
    states = {row["state"] for row in rows}
    common = {name: rows[0][name] for name in ("channel", "order_id", "expires_at")}
    lines = [_line(row) for row in rows]
    # the events of several lines are applied separately: until the last one, it counts as committed
    state = states.pop() if len(states) == 1 else "committed"
    return respond(
        Answer.of(200, {"reservation_id": reservation_id, "state": state, **common, "lines": lines})
    )


def _line(row: dict[str, Any]) -> dict[str, Any]:
    location_id, unit = location_and_unit(row["location_id"])
    line = {"sku": row["sku"], "location_id": location_id, "quantity": shown(row["quantity"], unit)}
    return line if unit is None else {**line, "unit": unit}
