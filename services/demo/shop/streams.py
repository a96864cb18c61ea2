"""The streams of events that the demo's systems send, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from schemas.rights import Role
from services.demo.shop import names, order_lives
from services.demo.shop.catalog import NEEDS, catalog
from services.demo.shop.club import MEMBER_EVERY, club
from services.demo.shop.members import profiles
from services.demo.shop.moments import DemoMoment, alone, in_time
from services.demo.shop.points import redemptions
from services.demo.shop.returns import TOLD_TWICE_EVERY, returns_of_ec, returns_of_till
from services.demo.shop.rows import Rows
from services.demo.shop.sales import COPIED_EVERY, PICKED_UP_EVERY, copies
from services.demo.shop.stock import counts, openings
from services.demo.shop.till_days import moments_of_day, till_days
from services.demo.shop.web_orders import adjustments, amendments, orders


@dataclass(frozen=True, slots=True)
class Stream:
    """The events of one system; `size`: number of moments; `role`: role of its token."""

    name: str
    size: int
    begin: Callable[[], Iterator[DemoMoment]]
    role: Role

    @property
    def moments(self) -> Iterator[DemoMoment]:
        return self.begin()


def everything(rows: Rows) -> list[Stream]:
    """All streams: first those of the bulk loader, then those that go over HTTP."""
    return [*bulk(rows), *tills(rows), web_shop(rows), *deliveries(rows)]


def bulk(rows: Rows) -> list[Stream]:
    """The streams for the bulk loader: catalogue, customers, the club, opening stock, counts."""
    items = rows.number("SELECT count(*) FROM shop.item")
    needs = len(NEEDS) + 1
    places = names.STORES + 1
    customers = rows.number("SELECT count(*) FROM shop.customer")
    members = rows.number(
        "SELECT count(*) FROM shop.customer WHERE c_customer_sk % $1 = 0", MEMBER_EVERY
    )
    counted = rows.number(
        "SELECT count(*) FROM shop.inventory "
        "WHERE inv_item_sk % 2 = 0 AND inv_quantity_on_hand IS NOT NULL"
    )
    return [
        Stream("catalogue", places + needs + items, lambda: alone(catalog(rows)), "catalogue"),
        # an import: cards of the stores and accounts of the web shop
        Stream("customers", 2 * customers, lambda: alone(profiles(rows)), "operations"),
        Stream("club", 1 + 4 * members, lambda: alone(club(rows)), "operations"),
        Stream("opening stock", places * items, lambda: alone(openings(rows)), "warehouse"),
        Stream("stock counts", counted, lambda: alone(counts(rows)), "warehouse"),
    ]


def tills(rows: Rows) -> list[Stream]:
    """One stream per till: its days, the returns and the copies of its receipts, by time."""
    redeemed = redemptions(rows)

    def till(store: int, terminal: int) -> Stream:
        where = "store = $1 AND terminal = $2 AND NOT held_back"
        copied = rows.number(
            f"SELECT count(*) FROM receipt WHERE {where} AND place % {COPIED_EVERY} = 0",
            store,
            terminal,
        )
        back = rows.number(
            f"SELECT count(*) + count(*) FILTER (back.place % {TOLD_TWICE_EVERY} = 0) "
            f"FROM return_line AS back JOIN receipt USING (number) "
            f"WHERE channel = 'STORE' AND {where}",
            store,
            terminal,
        )
        return Stream(
            f"store {store} till {terminal}",
            moments_of_day(rows, store, terminal) + copied + back,
            lambda: in_time(
                till_days(rows, redeemed, store, terminal),
                returns_of_till(rows, store, terminal),
                copies(rows, store, terminal),
            ),
            "till",
        )

    return [
        till(store, terminal)
        for store in range(1, names.STORES + 1)
        for terminal in range(1, names.TERMINALS + 1)
    ]


def web_shop(rows: Rows) -> Stream:
    """The web shop's orders and what it tells of them later, by time."""
    redeemed = redemptions(rows)
    sold = rows.number("SELECT count(*) FROM web_order")
    back = rows.number("SELECT count(*) FROM return_line WHERE channel = 'EC'")
    return Stream(
        "web shop",
        2 * sold + back,
        lambda: in_time(
            orders(rows, redeemed),
            adjustments(rows),
            amendments(rows),
            order_lives.allocations(rows),
            order_lives.cancels(rows),
            returns_of_ec(rows),
        ),
        "ec",
    )


def deliveries(rows: Rows) -> list[Stream]:
    """What leaves for orders: from the warehouse, and at the counters of the stores."""
    lines = rows.number("SELECT count(*) FROM web_line WHERE quantity > 0")
    at_counters = lines // PICKED_UP_EVERY
    return [
        Stream("warehouse", lines - at_counters, lambda: order_lives.shipments(rows), "warehouse"),
        Stream("counters", at_counters, lambda: order_lives.handovers(rows), "till"),
    ]
