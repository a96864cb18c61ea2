"""Runs a batch of commands on point holds: locks the members, decides, and stores the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from projections.point_balance import HELD
from services.deciding import outbox
from services.deciding.answers import Answer
from services.deciding.hold_statements import expire
from services.deciding.profiles import unseen
from services.points.holds.answers import ANSWERS
from services.points.holds.balances import LockedPurses, under_locks
from services.points.holds.commands import Capture, Command, Hold, Redeem, ReleaseHold
from services.points.holds.decide import DecidedPoints, HeldLot, PointsState, decide
from services.points.program.programs import USUAL, Programs
from services.runtime.arrays import array, columns
from services.runtime.db import Connection

# expired holds are closed here, under the locks, so that the partial index has only open ones
EXPIRED = expire(HELD).encode()
MAKE = """
insert into hitotsu.points_hold (id, profile_id, lot_id, points, place, whose, channel, client,
    state, expires_at, transaction_id, program_id, resolved_at)
select id, profile_id, lot_id, points, place, whose, channel, client, state,
    expires_at::timestamptz, transaction_id, program_id,
    case when x.state = 'open' then null else clock_timestamp() end
from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::smallint[], %s::uuid[],
    %s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[], %s::text[])
    as x(id, profile_id, lot_id, points, place, whose, channel, client, state, expires_at,
    transaction_id, program_id)
"""
CHANGE = """
update hitotsu.points_hold h set state = x.state, points = x.points,
    transaction_id = x.transaction_id, resolved_at = clock_timestamp()
from unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::text[], %s::uuid[])
    as x(id, profile_id, lot_id, points, state, transaction_id)
where h.id = x.id and h.profile_id = x.profile_id and h.lot_id = x.lot_id
"""
_CHANGED = ("uuid", "uuid", "uuid", "bigint", "text", "uuid")
_MADE = (
    "uuid", "uuid", "uuid", "bigint", "smallint", "uuid", "text", "text", "text", "timestamptz",
    "uuid", "text",
)  # fmt: skip


class PointsWork:
    """Decides batches of commands on points, within the caller's transaction."""

    def __init__(self, group: str, programs: Programs = USUAL) -> None:
        """`group`: the projection group whose checkpoints are the position in the answers."""
        self._group, self._programs = group, programs

    async def see(self, connection: Connection, commands: Sequence[Command]) -> LockedPurses:
        """Locks the commands' members; returns their points, and the rows of the named holds."""
        named = [c.hold_id for c in commands if isinstance(c, Capture | ReleaseHold)]
        asked = [c.body.profile_id for c in commands if isinstance(c, Hold | Redeem)]
        seen = await under_locks(connection, asked, named, self._group, self._programs)
        # whoever has ledger entries has events: only the others are looked up
        empty = {one for one in asked if not seen.purses[one, ""].version}
        seen.unseen |= await unseen(connection, empty)
        return seen

    async def decide(
        self, connection: Connection, seen: LockedPurses, commands: Sequence[Command]
    ) -> list[Answer]:
        """Decides; stores expired, changed and new holds, and the events in the outbox.

        Returns the answers in the order of the commands.
        """
        state = PointsState(seen.purses, _by_id(seen.holds), seen.now, seen.unseen, self._programs)
        decided = decide(commands, state)
        if seen.over:
            await connection.execute(
                EXPIRED, [array("uuid", [x.bytes for x in seen.over]), seen.now]
            )
        await _store(connection, decided)
        return ANSWERS.all_of(decided.outcomes, {"position": seen.position})


async def _store(connection: Connection, decided: DecidedPoints) -> None:
    if decided.changed:
        changed = [
            (h.hold_id, h.profile_id, h.lot_id, h.points, h.state, h.transaction_id)
            for h in decided.changed
        ]
        await connection.execute(CHANGE, columns(_CHANGED, changed))
    if decided.made:
        made = [
            (h.hold_id, h.profile_id, h.lot_id, h.points, h.place, h.whose, h.channel,
             h.client, h.state, h.expires_at, h.transaction_id, h.program_id)
            for h in decided.made
        ]  # fmt: skip
        await connection.execute(MAKE, columns(_MADE, made))
    await outbox.add(connection, decided.facts)


def _by_id(rows: list[dict[str, Any]]) -> dict[UUID, list[HeldLot]]:
    found: dict[UUID, list[HeldLot]] = {}
    for row in rows:
        row["hold_id"] = row.pop("id")
        found.setdefault(row["hold_id"], []).append(HeldLot(**row))
    return found
