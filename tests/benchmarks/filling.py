"""What if the tables are not empty? Every member, every cell and a year of purchases beforehand.

The same history for ours and for the peers, written by SQL before the clock starts.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.oracle import Connection
from tests.benchmarks.workload import BEGAN, Load, Shape, location_id, member_ids, sku_of

BALANCE, ON_HAND, PURCHASES, LINES = 1_000, 10_000, 5, 2
LAST_YEAR = BEGAN - 365 * 86_400_000_000
OURS = (
    "create temp table old (event_id uuid, member_id uuid, at bigint, skus text[])",
    "insert into main.point_entry (event_id, number, profile_id, lot_id, kind, points, at)"
    " select gen_random_uuid(), 0, member_id, gen_random_uuid(), 'earned', {balance}::bigint,"
    " {at}::bigint from (select distinct member_id from old) m",
    'insert into main.ledger (event_id, hash, schema_id, topic, partition, "offset")'
    " select event_id, 0, 0, 1, -1, -1 from old",
    "insert into main.sale (transaction_id, documents, owner_id, occurred_at, row_version)"
    " select event_id, json_build_object(replace(event_id::text, '-', ''), json_build_array('sale',"
    " at, replace(member_id::text, '-', ''), 'EC', 'L000', 'JPY', 2000, 0, null, json_build_array("
    "json_build_array(1, skus[1], 1, 1000), json_build_array(2, skus[2], 1, 1000))))::text,"
    " member_id, at, 1 from old",
    "insert into main.stock_cell (sku, location_id, on_hand, on_hand_from, committed, unavailable,"
    " incoming, row_version)"
    " select sku, location_id, {on_hand}, {at}::bigint, 0, 0, 0, 1 from cell",
    "insert into main.stock_cell_change (event_id, number, sku, location_id, at, delta)"
    " select gen_random_uuid(), 0, sku, location_id, {at}::bigint, {on_hand} from cell",
)
PEERS = (
    "create temp table old (event_id uuid, member_id uuid, at bigint, skus text[])",
    "insert into peers.balance select distinct member_id, {balance}::bigint from old",
    "insert into peers.ledger select event_id, member_id, at, 0 from old",
    "insert into peers.bought select member_id, sku, max(at) from old, unnest(skus) sku"
    " group by 1, 2",
    "insert into peers.stock select location_id, sku, {on_hand} from cell",
)


def remember(load: Load, shape: Shape) -> None:
    """The history is part of what must be there in the end."""
    for expected in (load.expected, load.prefix):
        for member in member_ids(shape):
            expected.balance[member] = expected.balance.get(member, 0) + BALANCE
        for location, sku in _cells(shape):
            expected.stock[location, sku] = expected.stock.get((location, sku), 0) + ON_HAND
        for event_id, member, skus in _purchases(shape):
            expected.old[event_id] = (member, LAST_YEAR, 0)
            for sku in skus:
                expected.bought.setdefault((member, sku), LAST_YEAR)


def fill_ours(connection: Connection, shape: Shape) -> None:
    """The product's tables; its own start brings Redis up to them."""
    _fill(connection, OURS, shape)


def fill_peers(connection: Connection, shape: Shape) -> None:
    """A peer's tables."""
    _fill(connection, PEERS, shape)


def _fill(connection: Connection, statements: tuple[str, ...], shape: Shape) -> None:
    create, *inserts = statements
    with connection.transaction():
        connection.execute(create)
        connection.execute("create temp table cell (location_id text, sku text)")
        with connection.cursor().copy("copy old from stdin") as copy:
            for event_id, member, skus in _purchases(shape):
                listed = "{" + ",".join(skus) + "}"
                copy.write_row((event_id.hex(), member.hex(), LAST_YEAR, listed))
        with connection.cursor().copy("copy cell from stdin") as copy:
            for location, sku in _cells(shape):
                copy.write_row((location, sku))
        for insert in inserts:
            connection.execute(insert.format(balance=BALANCE, on_hand=ON_HAND, at=LAST_YEAR))
        connection.execute("drop table old, cell")
    connection.execute("vacuum analyze")


def _cells(shape: Shape) -> Iterator[tuple[str, str]]:
    for location in range(shape.locations):
        for sku in range(shape.skus):
            yield location_id(location), sku_of(sku)


def _purchases(shape: Shape) -> Iterator[tuple[bytes, bytes, list[str]]]:
    """Some for every member, of items that follow from the member's number."""
    for number, member in enumerate(member_ids(shape)):
        for nth in range(PURCHASES):
            event_id = (number * PURCHASES + nth).to_bytes(16, "big")
            chosen = [
                (number * 7_919 + (nth * LINES + line) * 104_729) % shape.skus
                for line in range(LINES)
            ]
            yield event_id, member, [sku_of(sku) for sku in chosen]
