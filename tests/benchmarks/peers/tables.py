"""What tables does a peer keep, and which SQL moves them? Exactly once by the ledger's key.

`ONE` applies one event in one statement. `apply_batch` applies many: the ledger says which events
are new, Python adds them up, one statement a table merges the sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.benchmarks.peers.reading import Fact

SCHEMA = "peers"
DDL = """
drop schema if exists peers cascade;
create schema peers;
set search_path = peers;
create table ledger (
    event_id uuid primary key, member_id uuid not null, occurred_at bigint not null,
    points bigint not null
);
create table balance (member_id uuid primary key, balance bigint not null);
create table stock (
    location_id text, sku text, on_hand bigint not null, primary key (location_id, sku)
);
create table bought (
    member_id uuid, sku text, last_at bigint not null, primary key (member_id, sku)
);
create unlogged table copied (event_id uuid, member_id uuid, occurred_at bigint, points bigint);
"""
SELECTS = {
    "ledger": "select encode(uuid_send(event_id), 'hex'), encode(uuid_send(member_id), 'hex'),"
    " occurred_at, points from peers.ledger",
    "balance": "select encode(uuid_send(member_id), 'hex'), balance from peers.balance",
    "stock": "select location_id, sku, on_hand from peers.stock",
    "bought": "select encode(uuid_send(member_id), 'hex'), sku, last_at from peers.bought",
}
_NEW = """
with new as (
    insert into ledger values (%s, %s, %s, %s) on conflict do nothing
    returning member_id, occurred_at, points
)"""
_EARNED = f"""{_NEW}
insert into balance select member_id, points from new
on conflict (member_id) do update set balance = balance.balance + excluded.balance
"""
_SOLD = f"""{_NEW}, line as (
    select member_id, occurred_at, sku, sum(quantity) as quantity
    from new, unnest(%s::text[], %s::bigint[]) as sold (sku, quantity) group by 1, 2, 3
), left_over as (
    insert into stock select %s, sku, -quantity from line
    on conflict (location_id, sku) do update set on_hand = stock.on_hand + excluded.on_hand
)
insert into bought select member_id, sku, occurred_at from line
on conflict (member_id, sku) do update set last_at = greatest(bought.last_at, excluded.last_at)
"""
_LEDGER = """
insert into ledger select * from unnest(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[])
on conflict do nothing returning encode(uuid_send(event_id), 'hex')
"""
_BALANCE = """
insert into balance select * from unnest(%s::uuid[], %s::bigint[])
on conflict (member_id) do update set balance = balance.balance + excluded.balance
"""
_STOCK = """
insert into stock select * from unnest(%s::text[], %s::text[], %s::bigint[])
on conflict (location_id, sku) do update set on_hand = stock.on_hand + excluded.on_hand
"""
_BOUGHT = """
insert into bought select * from unnest(%s::uuid[], %s::text[], %s::bigint[])
on conflict (member_id, sku) do update set last_at = greatest(bought.last_at, excluded.last_at)
"""
Statement = tuple[str, Sequence[Any]]


def one(fact: Fact) -> Statement:
    """The statement that applies one event, unless it was applied before."""
    event_id, member_id, at, points, location_id, lines = fact
    row = (event_id, member_id, at, points)
    if not lines:
        return _EARNED, row
    skus, quantities = [sku for sku, _ in lines], [quantity for _, quantity in lines]
    return _SOLD, (*row, skus, quantities, location_id)


def apply_batch(cursor: Any, facts: Sequence[Fact]) -> None:
    """Many events in the caller's transaction."""
    cursor.execute(_LEDGER, _ledger(facts))
    for statement, values in _merges(facts, {row[0] for row in cursor.fetchall()}):
        cursor.execute(statement, values)


async def apply_batch_async(cursor: Any, facts: Sequence[Fact]) -> None:
    """The same on an asynchronous connection."""
    await cursor.execute(_LEDGER, _ledger(facts))
    for statement, values in _merges(facts, {row[0] for row in await cursor.fetchall()}):
        await cursor.execute(statement, values)


def _ledger(facts: Sequence[Fact]) -> Sequence[Any]:
    return [list(column) for column in list(zip(*facts, strict=True))[:4]]


def _merges(facts: Sequence[Fact], new: set[str]) -> Iterator[Statement]:
    """Sums of what is new; sorted, so that two writers would lock in one order."""
    balance: dict[str, int] = {}
    stock: dict[tuple[str, str], int] = {}
    bought: dict[tuple[str, str], int] = {}
    for event_id, member_id, at, points, location_id, lines in facts:
        if event_id not in new:
            continue
        new.discard(event_id)
        if points:
            balance[member_id] = balance.get(member_id, 0) + points
        for sku, quantity in lines:
            cell, taken = (location_id, sku), (member_id, sku)
            stock[cell] = stock.get(cell, 0) - quantity
            if at > bought.get(taken, 0):
                bought[taken] = at
    if balance:
        members = sorted(balance)
        yield _BALANCE, (members, [balance[member] for member in members])
    for statement, found in ((_STOCK, stock), (_BOUGHT, bought)):
        if found:
            keys = sorted(found)
            values = [found[key] for key in keys]
            yield statement, ([key[0] for key in keys], [key[1] for key in keys], values)
