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
from services.points.program.rules import EarningRules, readable, version_at
from services.points.program.sales import versions
from services.runtime.db import Connection, Pool
from services.runtime.rows import rows_of

LIMIT, OVER = "/v1/points/offline-limit", "/v1/points/unauthorised"
MANY = 500
Code = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(printable)]
NOW = "select clock_timestamp() as now"
OFFLINE = """
select event_id, at, profile_id, -points as points, terminal, transaction_id from point_entry
where terminal is not null and lot_id is null and kind = 'redeemed' order by at desc, event_id
"""


class AtTerminal(BaseModel):
    """Query parameters: the terminal whose limit is requested; it need not be known."""

    model_config = ConfigDict(extra="forbid")
    store_id: Code = Field(description="The store, as its tills name it.")
    terminal_id: Code = Field(description="The terminal within the store.")


class Nothing(BaseModel):
    """Refuses every query parameter, for a route without parameters."""

    model_config = ConfigDict(extra="forbid")


def operations(door: Door, postgres: Pool) -> list[Operation]:
    """GET a terminal's offline limit; GET the newest `MANY` offline redemptions above the limit."""

    async def limit(request: Request) -> Response:
        await token_of(request, door.tokens, "points:redeem")
        door.check_built()
        asked = parameters_of(request, AtTerminal, sent_in_query(request))
        store, terminal = asked["store_id"], asked["terminal_id"]
        async with postgres.connection() as connection:
            rows = readable(await versions(connection))
            (moment,) = await rows_of(connection, NOW, [])
        version, found = _rules(rows, micros(moment["now"]))
        said = {"per_redemption": found.offline_floor.limit(store, terminal)}
        return respond(Answer.of(200, {**asked, **said, "rule_version": version}))

    async def over(request: Request) -> Response:
        await token_of(request, door.tokens, "points:read")
        door.check_built()
        parameters_of(request, Nothing, sent_in_query(request))
        async with postgres.connection() as connection:
            found = await unauthorised(connection)
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


async def unauthorised(connection: Connection) -> list[dict[str, Any]]:
    """All offline redemptions above the limit in force when they happened, newest first."""
    rows = await versions(connection)
    return above(await rows_of(connection, OFFLINE, []), rows)


def above(
    taken: Iterable[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The redemptions in `taken` above their terminal's limit. `rows`: of `program_rules`."""
    found, read = [], readable(rows)
    for one in taken:
        version, rules = _rules(read, one["at"])
        store, _, terminal = one["terminal"].partition("/")
        limit = rules.offline_floor.limit(store, terminal)
        if one["points"] > limit:
            said = {"at": instant(one["at"]), "limit": limit, "rule_version": version}
            found.append({**one, **said, "store_id": store, "terminal_id": terminal})
    return found


def _rules(rows: Sequence[Mapping[str, Any]], at: int) -> tuple[str | None, EarningRules]:
    """Version and rules in force at `at` (microseconds); without any: None, and default rules,
    under which the offline limit is 0.
    """
    row = version_at(rows, at)
    return (row["version"], row["read"]) if row is not None else (None, EarningRules())
