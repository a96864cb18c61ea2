"""Routes for a terminal's offline limit, and for the offline redemptions that exceeded it.

A till asks for its limit while it is online and keeps it for when it is offline. A redemption above
the limit is applied all the same, because it has happened; it is listed here for review.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from projections.core.instants import instant, micros
from services.deciding.answers import Answer
from services.deciding.endpoint import Door, respond
from services.http.bearer import token_of
from services.http.operation import Operation, Reply
from services.http.parameters import parameters_of, sent_in_query
from services.http.postgres_limits import printable
from services.http.problem_type import BUILDING, UNPROCESSABLE
from services.points.holds.answers import OfflineLimit, UnauthorisedRedemptions
from services.points.program.programs import USUAL, Program, Programs, in_force
from services.points.program.rules import EarningRules, readable
from services.points.program.sales import versions
from services.runtime.db import Connection, Pool
from services.runtime.rows import rows_of

LIMIT, OVER = "/v1/points/offline-limit", "/v1/points/unauthorised"
MANY = 500
Code = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(printable)]
NOW = "select clock_timestamp() as now"
OFFLINE = """
select event_id, at, profile_id, -points as points, terminal, transaction_id, program_id
from point_entry
where terminal is not null and lot_id is null and kind = 'redeemed' order by at desc, event_id
"""


class AtTerminal(BaseModel):
    """Query parameters: the terminal whose limit is requested; it need not be known."""

    model_config = ConfigDict(extra="forbid")
    store_id: Code = Field(description="The store, as its tills name it.")
    terminal_id: Code = Field(description="The terminal within the store.")
    program: Code | None = Field(None, description="The points program; absent: the default.")


class Nothing(BaseModel):
    """Refuses every query parameter, for a route without parameters."""

    model_config = ConfigDict(extra="forbid")


def operations(door: Door, postgres: Pool, programs: Programs = USUAL) -> list[Operation]:
    """GET a terminal's offline limit; GET the newest `MANY` offline redemptions above the limit."""

    async def limit(request: Request) -> Response:
        await token_of(request, door.tokens, "points:redeem")
        door.check_built()
        asked = parameters_of(request, AtTerminal, sent_in_query(request))
        store, terminal = asked["store_id"], asked["terminal_id"]
        program = programs.of(asked["program"])
        async with postgres.connection() as connection:
            rows = readable(await versions(connection))
            (moment,) = await rows_of(connection, NOW, [])
        version, found = _rules(rows, program, micros(moment["now"]))
        said = {
            "program": program.id, "per_redemption": found.offline_floor.limit(store, terminal),
            "rule_version": version,
        }  # fmt: skip
        return respond(Answer.of(200, {**asked, **said}))

    async def over(request: Request) -> Response:
        await token_of(request, door.tokens, "points:read")
        door.check_built()
        parameters_of(request, Nothing, sent_in_query(request))
        async with postgres.connection() as connection:
            found = await unauthorised(connection, programs)
        return respond(Answer.of(200, {"redemptions": found[:MANY], "more": len(found) > MANY}))

    return [
        Operation(
            method="GET", path=LIMIT, name="offlineLimit", tag="points", scope="points:redeem",
            summary="Points that a terminal may redeem in one redemption while offline",
            endpoint=limit,
            parameters=AtTerminal, replies={200: Reply(OfflineLimit, "The limit in force.")},
            problems=(BUILDING, UNPROCESSABLE),
        ),
        Operation(
            method="GET", path=OVER, name="unauthorisedRedemptions", tag="points",
            summary="Offline redemptions above the terminal's limit, newest first",
            scope="points:read", endpoint=over, parameters=Nothing,
            replies={200: Reply(UnauthorisedRedemptions, "With the limits then in force.")},
            problems=(BUILDING, UNPROCESSABLE),
        ),
    ]  # fmt: skip


async def unauthorised(connection: Connection, programs: Programs = USUAL) -> list[dict[str, Any]]:
    """All offline redemptions above the limit in force when they happened, newest first."""
    rows = await versions(connection)
    return above(await rows_of(connection, OFFLINE, []), rows, programs)


def above(
    taken: Iterable[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    programs: Programs = USUAL,
) -> list[dict[str, Any]]:
    """The redemptions in `taken` above their terminal's limit. `rows`: of `program_rules`."""
    found, read = [], readable(rows)
    for one in taken:
        program = programs.of(one["program_id"])
        version, rules = _rules(read, program, one["at"])
        store, _, terminal = one["terminal"].partition("/")
        limit = rules.offline_floor.limit(store, terminal)
        if one["points"] > limit:
            said = {"at": instant(one["at"]), "limit": limit, "rule_version": version}
            shown = {name: value for name, value in one.items() if name != "program_id"}
            where = {"program": program.id, "store_id": store, "terminal_id": terminal}
            found.append({**shown, **said, **where})
    return found


def _rules(
    rows: Sequence[Mapping[str, Any]], program: Program, at: int
) -> tuple[str | None, EarningRules]:
    """Version and rules of the program in force at `at` (microseconds); without any: None, and
    rules under which the offline limit is 0.
    """
    row = in_force(rows, program, at)
    return (row["version"], row["read"]) if row is not None else (None, EarningRules())
