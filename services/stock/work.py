"""Runs a batch of commands on reservations: locks stock cells, decides, and stores the result.

It locks the rows of `stock_cell` of all locations and codes of an item, since limits apply over
all of them. So two decisions never promise the same units, and a hold that was seen as expired is
never committed later. The projector adds the units to `committed` and ends the hold in one
transaction, so units are never counted twice or missed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from projections.catalog.barcodes import ITEMS
from projections.core.instants import micros
from projections.shared_stock import RESERVED
from projections.shared_stock.item_cells import TOGETHER, merged, needs_counts
from projections.shared_stock.preorders import Expected, covered
from services.deciding import outbox
from services.deciding.answers import Answer
from services.deciding.hold_statements import expire
from services.runtime.arrays import array, columns
from services.runtime.db import Connection
from services.runtime.rows import rows_of, send_query
from services.stock.answers import ANSWERS
from services.stock.availability import AvailableUnits, Spot
from services.stock.commands import Command, Reserve
from services.stock.decide import DecidedStock, ReservedUnits, StockState, decide

NAMED = """
select id, sku, location_id, quantity, channel, client, state, expires_at, order_id
from hitotsu.stock_hold where id = any(%s::uuid[]) order by sku, location_id
"""
# the cells of all codes of these items; `owns`: of codes that are not their item's sku that sku
CELLS = f"""
with item as materialized ({ITEMS.format(codes="%(skus)s::text[]")})
select c.sku, c.location_id, c.on_hand, c.on_hand_read_at, c.committed, c.unavailable,
    (select json_object_agg(code, own) from item where code <> own) as owns
from stock_cell c where c.sku = any(array(select code from item))
order by c.sku, c.location_id
"""
# expired holds are closed here, under locks, so that the partial index has only those that count
EXPIRED = expire(RESERVED).encode()
# the clock is read once, under the locks, so that a hold is expired for all queries or for none
SHELF = """
with moment as materialized (select clock_timestamp() as now),
held as (
    select sku, coalesce(served_by, location_id) as location_id,
        coalesce(sum(quantity) filter (where state = 'committed' or expires_at > now), 0)::bigint
            as held,
        bool_or(state = 'open' and expires_at <= now) as over
    from hitotsu.stock_hold, moment
    where sku = any(%(skus)s) and state in ('open', 'committed') group by 1, 2
)
select moment.now, (
    select coalesce(json_object_agg(topic || '-' || partition, next_offset), '{}')
    from hitotsu.checkpoint where grp = %(group)s
        and topic in ('commerce.inventory', 'commerce.purchases', 'commerce.catalog')
) as position,
    (select coalesce(json_agg(one), '[]') from held one) as held,
    (select json_agg(one) from (
        select sku, location_id, expected_at, sum(incoming)::bigint as incoming,
            sum(preordered)::bigint as preordered
        from stock_expected where sku = any(%(skus)s) group by sku, location_id, expected_at
    ) one) as expected,
    (select coalesce(json_agg(one), '[]') from (
        select location_id, sku, valid_from, coalesce(safety_stock, 0) as safety_stock,
            coalesce(store_share, 0) as store_share,
            coalesce(company_threshold, 0) as company_threshold
        from stock_policy where sku = any(%(skus)s) or sku = ''
    ) one) as policies
from moment
"""
MAKE = """
insert into hitotsu.stock_hold (
    id, sku, location_id, quantity, channel, client, expires_at, position)
select id, sku, location_id, quantity, channel, client, expires_at::timestamptz, position::jsonb
from unnest(%s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[],
    %s::text[]) as x(id, sku, location_id, quantity, channel, client, expires_at, position)
"""
CHANGE = """
update hitotsu.stock_hold h set state = x.state,
    expires_at = x.expires_at::timestamptz, order_id = x.order_id,
    served_by = x.served_by,
    resolved_at = case when x.state = 'open' then null else clock_timestamp() end
from unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::uuid[], %s::text[])
    as x(id, sku, location_id, state, expires_at, order_id, served_by)
where h.id = x.id and h.sku = x.sku and h.location_id = x.location_id
"""
_CHANGED = ("uuid", "text", "text", "text", "timestamptz", "uuid", "text")
_MADE = ("uuid", "text", "text", "bigint", "text", "text", "timestamptz", "text")


class StockWork:
    """Decides batches of stock commands, within the caller's transaction."""

    def __init__(self, group: str) -> None:
        """`group`: the projection group whose checkpoints are the position in the answers."""
        self._group = group

    async def see(self, connection: Connection, commands: Sequence[Command]) -> _LockedStock:
        """Locks the cells of the commands' items; returns them, and the rows of named holds."""
        named = [c.reservation_id for c in commands if not isinstance(c, Reserve)]
        wanted = {
            line.sku for c in commands if isinstance(c, Reserve) for line in c.body.lines
        }  # fmt: skip
        if named:
            wanted |= {row["sku"] for row in await rows_of(connection, NAMED, [named])}
        skus = sorted(wanted)
        asked = {"skus": array("text", skus)}
        cells = await rows_of(connection, f"{CELLS} for update of c", asked)
        # read holds again: another process may have resolved them before the locks were taken
        return await _shelf(connection, skus, cells, self._group, named)

    async def decide(
        self, connection: Connection, seen: _LockedStock, commands: Sequence[Command]
    ) -> list[Answer]:
        """Decides; stores expired, changed and new holds, and the events in the outbox.

        Returns the answers in the order of the commands.
        """
        decided = decide(commands, StockState(seen.shelf, _by_id(seen.holds), seen.now))
        if seen.over:
            await connection.execute(EXPIRED, [array("text", seen.over), seen.now])
        await _changes(connection, decided, seen.position)
        await outbox.add(connection, decided.facts)
        return ANSWERS.all_of(decided.outcomes, {"position": seen.position})


async def seen(
    connection: Connection, skus: list[str], group: str
) -> tuple[AvailableUnits, datetime, dict[str, int]]:
    """Units of these items, the time and the position, read without a lock."""
    cells = await rows_of(connection, CELLS, {"skus": array("text", skus)})
    found = await _shelf(connection, skus, cells, group, [])
    return found.shelf, found.now, found.position


@dataclass(frozen=True, slots=True)
class _LockedStock:
    """Units of some items at `now`. `position`: next offset to apply by "topic-partition".

    `over`: items with open holds that have expired. `holds`: the rows of the named holds.
    """

    shelf: AvailableUnits
    now: datetime
    position: dict[str, int]
    over: list[str]
    holds: list[dict[str, Any]]


async def _shelf(
    connection: Connection,
    skus: list[str],
    cells: list[dict[str, Any]],
    group: str,
    named: list[UUID],
) -> _LockedStock:
    """Reads time, holds, policies and position; the rows of the `named` holds in the same pipeline.

    `cells`: rows of `stock_cell`, locked by the caller if it decides.
    """
    owns: dict[str, str] = (cells[0]["owns"] if cells else None) or {}
    codes = sorted({*skus, *owns, *owns.values()}) if owns else skus
    asked = await send_query(connection, SHELF, {"skus": array("text", codes), "group": group})
    holds = await rows_of(connection, NAMED, [named]) if named else []
    (row,) = await asked.fetchall()
    now: datetime = row["now"]
    units: dict[Spot, int] = {}
    for one in row["held"]:
        spot = owns.get(one["sku"], one["sku"]), one["location_id"]
        units[spot] = units.get(spot, 0) + one["held"]
    over = sorted({one["sku"] for one in row["held"] if one["over"]})
    at = micros(now)
    later = _covered(row["expected"], owns, at) if row["expected"] else {}
    if owns:
        cells = await _whole(connection, cells, owns)
    shelf = AvailableUnits(cells, row["policies"], units, at, later, owns)
    return _LockedStock(shelf, now, row["position"], over, holds)


async def _whole(
    connection: Connection, cells: list[dict[str, Any]], owns: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The cells of items, one a location, of the locked rows of all their codes."""
    on_hand: dict[Spot, int] = {}
    counted = needs_counts(cells, owns)
    if counted:
        codes = [*counted, *(code for code, own in owns.items() if own in counted)]
        asked = {
            "owns": array("text", [owns.get(code, code) for code in codes]),
            "codes": array("text", codes),
        }
        found = await rows_of(connection, TOGETHER, asked)
        on_hand = {(row["sku"], row["location_id"]): row["on_hand"] for row in found}
    return merged(cells, owns, on_hand)


def _covered(
    rows: Iterable[Mapping[str, Any]], owns: Mapping[str, str], at: int
) -> dict[Spot, int]:
    """Preordered units that units on their way cover, by item and location."""
    by_spot: dict[Spot, list[Expected]] = {}
    for row in rows:
        units = Expected(row["expected_at"], row["incoming"], row["preordered"])
        spot = owns.get(row["sku"], row["sku"]), row["location_id"]
        by_spot.setdefault(spot, []).append(units)
    return {spot: covered(units, at) for spot, units in by_spot.items()}


async def _changes(
    connection: Connection, decided: DecidedStock, position: Mapping[str, int]
) -> None:
    # changed holds are stored before new ones, so that the rows' times show this order too
    if decided.changed:
        rows_changed = [
            (h.reservation_id, h.sku, h.location_id, h.state, h.expires_at, h.order_id, h.served_by)
            for holds in decided.changed.values()
            for h in holds
        ]
        await connection.execute(CHANGE, columns(_CHANGED, rows_changed))
    if decided.made:
        # all lines of a batch saw the same position: it is stored in one row for each spot
        first = {hold.spot: hold for hold in reversed(decided.made)}
        stood = json.dumps(position)
        rows = [
            (
                h.reservation_id, h.sku, h.location_id, h.quantity, h.channel, h.client,
                h.expires_at, stood if first[h.spot] is h else None,
            )
            for h in decided.made
        ]  # fmt: skip
        await connection.execute(MAKE, columns(_MADE, rows))


def _by_id(rows: list[dict[str, Any]]) -> dict[UUID, list[ReservedUnits]]:
    found: dict[UUID, list[ReservedUnits]] = {}
    for row in rows:
        found.setdefault(row["id"], []).append(
            ReservedUnits(
                row["id"], row["sku"], row["location_id"], row["quantity"], row["channel"],
                row["client"], row["state"], row["expires_at"], row["order_id"],
            )
        )  # fmt: skip
    return found
