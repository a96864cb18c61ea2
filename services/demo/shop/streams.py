"""The streams of events that the demo's systems send, in order.

A moment is a list of events that happen at one time and are sent together: a receipt with its
points, a return with its inquiry, a count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter

from schemas.rights import Role
from services.demo.shop import names
from services.demo.shop.catalog import NEEDS, catalog
from services.demo.shop.members import profiles
from services.demo.shop.names import Json
from services.demo.shop.points import redemptions
from services.demo.shop.returns import returns_of_ec, returns_of_till
from services.demo.shop.rows import Rows
from services.demo.shop.sales import orders, receipts
from services.demo.shop.stock import counts, openings


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of one system; `size`: number of moments; `role`: role of its token."""

    name: str
    size: int
    begin: Callable[[], Iterator[list[Json]]]
    role: Role

    @property
    def moments(self) -> Iterator[list[Json]]:
        return self.begin()


def bulk(rows: Rows) -> list[Stream]:
    """The streams for the bulk loader: catalogue, customers, opening stock, counts."""
    items = rows.number("SELECT count(*) FROM shop.item")
    needs = len(NEEDS) + 1
    places = names.STORES + 1
    customers = rows.number("SELECT count(*) FROM shop.customer")
    counted = rows.number(
        "SELECT count(*) FROM shop.inventory "
        "WHERE inv_item_sk % 2 = 0 AND inv_quantity_on_hand IS NOT NULL"
    )
    return [
        Stream("catalogue", places + needs + items, lambda: _alone(catalog(rows)), "catalogue"),
        # an import: cards of the stores and accounts of the web shop
        Stream("customers", 2 * customers, lambda: _alone(profiles(rows)), "operations"),
        Stream("opening stock", places * items, lambda: _alone(openings(rows)), "warehouse"),
        Stream("stock counts", counted, lambda: _alone(counts(rows)), "warehouse"),
    ]


def tills(rows: Rows) -> list[Stream]:
    """One stream per till: its receipts and the returns of them, by time."""
    redeemed = redemptions(rows)

    def till(store: int, terminal: int) -> Stream:
        where = "store = $1 AND terminal = $2 AND NOT held_back"
        sold = rows.number(f"SELECT count(*) FROM receipt WHERE {where}", store, terminal)
        back = rows.number(
            "SELECT count(*) FROM store_return AS back "
            "JOIN store_line AS sold USING (number, item) "
            f"JOIN receipt USING (number) WHERE {where} AND back.quantity <= sold.quantity",
            store,
            terminal,
        )
        return Stream(
            f"store {store} till {terminal}",
            sold + back,
            lambda: _in_time(
                receipts(rows, redeemed, store, terminal), returns_of_till(rows, store, terminal)
            ),
            "till",
        )

    return [
        till(store, terminal)
        for store in range(1, names.STORES + 1)
        for terminal in range(1, names.TERMINALS + 1)
    ]


def web_shop(rows: Rows) -> Stream:
    """The web shop's orders and their returns, by time."""
    redeemed = redemptions(rows)
    sold = rows.number("SELECT count(*) FROM web_order")
    back = rows.number(
        "SELECT count(*) FROM web_return AS back JOIN web_line AS sold USING (number, item) "
        "WHERE back.quantity <= sold.quantity"
    )
    return Stream(
        "web shop",
        sold + back,
        lambda: _in_time(orders(rows, redeemed), returns_of_ec(rows)),
        "ec",
    )


def _alone(events: Iterator[Json]) -> Iterator[list[Json]]:
    for event in events:
        yield [event]


def _in_time(*moments: Iterable[tuple[object, list[Json]]]) -> Iterator[list[Json]]:
    for _, events in merge(*moments, key=itemgetter(0)):
        yield events
