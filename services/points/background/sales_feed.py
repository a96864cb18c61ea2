"""Records in `hitotsu.points_due` which sales have to be judged, or judged again.

It follows events that the projector has applied: purchases, documents of orders, redemptions,
items, stores, program rules, who joined or left a program, and settled discrepancies.
An event only tells which sales it concerns; their data is read from the projection's tables later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args
from uuid import UUID

from projections.purchases.item_codes import ASKED, code_id
from schemas.calendars import DEFAULT_ZONE, MOVED_MAX
from schemas.generated.events import (
    AllocationReleased,
    DiscrepancySettled,
    ItemDescribed,
    LocationDescribed,
    OrderLineCancelled,
    OrderLineHandedOver,
    PointsRedeemed,
    PriceAdjusted,
    ProgramJoined,
    ProgramLeft,
    ProgramRulesSet,
    PurchaseAmended,
    PurchaseAttributed,
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
    ReservationCommitted,
    StockAllocated,
    StockShipped,
)
from services.following.applied_log import AppliedEvent, AppliedLog
from services.following.follower import CursorTable, Follower
from services.points.program.rules import readable
from services.points.program.sales import versions
from services.runtime.db import Connection
from services.runtime.rows import rows_of

TOPICS = (
    "commerce.purchases", "commerce.inventory", "commerce.catalog", "commerce.points",
    "commerce.settings", "commerce.members",
)  # fmt: skip
AT_ONCE = 2_000
FOR_EVER = 2**62
CURSOR = CursorTable("hitotsu.points_cursor")
Purchase = (
    PurchaseCompleted | PurchaseReturned | PurchaseVoided | PurchaseAttributed | OrderLineCancelled
    | PurchaseAmended | PriceAdjusted
)  # fmt: skip
OfOrder = (
    StockAllocated | ReservationCommitted | StockShipped | OrderLineHandedOver | AllocationReleased
)
FOLLOWED = (
    *get_args(Purchase), *get_args(OfOrder), PointsRedeemed, DiscrepancySettled, ItemDescribed,
    LocationDescribed, ProgramRulesSet, ProgramJoined, ProgramLeft,
)  # fmt: skip
DUE = """
insert into hitotsu.points_due (transaction_id)
select * from unnest(%s::uuid[])
on conflict (transaction_id) do update set failed = null
"""
# a redemption that arrives after a return of the same purchase was judged: points to give back
PAID_WITH = """
insert into hitotsu.points_due (transaction_id)
select distinct transaction_id from hitotsu.points_decided
where transaction_id = any(%s::uuid[]) and units > 0
on conflict (transaction_id) do update set failed = null
"""
# the sales between the beginning of a version and that of the program's next one
RULES_CAME = """
insert into hitotsu.points_due (transaction_id)
select distinct s.transaction_id
from unnest(%s::bigint[], %s::bigint[]) as x(since, until)
join sale s on s.occurred_at >= x.since and s.occurred_at < x.until
on conflict (transaction_id) do update set failed = null
"""
# a member joined or left a program: its later sales that are known already
MOVED = """
insert into hitotsu.points_due (transaction_id)
select distinct s.transaction_id
from unnest(%s::uuid[], %s::bigint[]) as x(profile_id, since)
cross join lateral (
    select x.profile_id union
    select unnest(head.profiles) from member_group own
    join member_group head on head.profile_id = own.member_id where own.profile_id = x.profile_id
) one(profile_id)
cross join lateral (
    select transaction_id from sale
    where owner_id = one.profile_id and occurred_at >= x.since
    union select c.transaction_id from purchase_claim c join sale s using (transaction_id)
    where c.profile_id = one.profile_id and s.occurred_at >= x.since
) s
on conflict (transaction_id) do update set failed = null
"""
# Sales of a till that name one of these orders, or the order of one of these sales: whether they
# sell what their order had been given before depends on all documents and sales of the order, and
# on what people decided about it. The order that the web shop's own sale opens has the sale's id.
OF_ORDERS = """
insert into hitotsu.points_due (transaction_id)
select s.transaction_id from sale s
join (
    select unnest(%(ids)s::uuid[]) as order_id
    union select order_id from sale where transaction_id = any(%(ids)s::uuid[])
) o using (order_id)
where s.occurred_at is not null
on conflict (transaction_id) do update set failed = null
"""
# only where it changes the store's calendar: descriptions are sent again and again
LOCATION_CAME = """
insert into hitotsu.points_due (transaction_id)
select distinct s.transaction_id
from unnest(%s::text[], %s::bigint[]) as x(location_id, valid_from)
join location l on l.location_id = x.location_id collate "C" and l.valid_from = x.valid_from
left join lateral (
    select time_zone, day_starts_at from location
    where location_id = l.location_id and valid_from < l.valid_from
    order by valid_from desc limit 1
) former on true
join sale s on s.shop_day is not null and s.occurred_at >= l.valid_from
    and substr(s.shop_day, strpos(s.shop_day, ' ') + 1) = l.location_id
where (coalesce(l.time_zone, %s), coalesce(l.day_starts_at, 0))
    is distinct from (coalesce(former.time_zone, %s), coalesce(former.day_starts_at, 0))
on conflict (transaction_id) do update set failed = null
"""
# the sales and orders that ask which item a barcode is
ASKING = """
select o.key::uuid as id from sale_code c, json_each(c.documents::json) o
where c.code_id = any(%(codes)s::uuid[]) and o.value->>0 = %(asked)s
union
select o.key::uuid from stock_order_code c, json_each(c.documents::json) o
where c.code_id = any(%(codes)s::uuid[]) and o.value->>0 = %(asked)s
"""
ITEM_CAME = """
insert into hitotsu.points_due (transaction_id)
select distinct d.transaction_id
from unnest(%s::text[], %s::bigint[], %s::text[]) as x(sku, valid_from, category)
cross join lateral (
    select x.sku as code union
    select code from item_code where node = x.sku collate "C" and sku = node
) codes
join hitotsu.points_decided d on d.sku = codes.code collate "C" and d.sold_at >= x.valid_from
    and d.category is distinct from x.category
on conflict (transaction_id) do update set failed = null
"""


def sales_feed(kafka: str, group: str) -> Follower:
    """A follower that calls `note_due` for the events that `group` has applied."""
    return Follower(AppliedLog(kafka, group, TOPICS, AT_ONCE, only=FOLLOWED), CURSOR, note_due)


async def note_due(connection: Connection, events: Sequence[AppliedEvent]) -> None:
    """Records the sales that these events concern."""
    purchases: set[UUID] = set()
    paid_with: set[UUID] = set()
    items: dict[tuple[str, int], str] = {}
    places: set[tuple[str, int]] = set()
    codes: set[UUID] = set()
    orders: set[UUID] = set()
    moved: dict[UUID, int] = {}
    rules: set[tuple[str, int]] = set()
    for event in (read.event for read in events):
        if isinstance(event, Purchase):
            purchases.add(UUID(bytes=event.transaction_id))
        elif isinstance(event, OfOrder):
            orders.add(UUID(bytes=event.order_id))
        elif isinstance(event, PointsRedeemed) and event.transaction_id is not None:
            paid_with.add(UUID(bytes=event.transaction_id))
        elif isinstance(event, DiscrepancySettled) and event.subject_id is not None:
            orders.add(UUID(bytes=event.subject_id))
        elif isinstance(event, ItemDescribed):
            items[event.sku, event.valid_from] = event.category
            codes.update(UUID(bytes=code_id(barcode)) for barcode in event.barcodes)
        elif isinstance(event, LocationDescribed):
            places.add((event.location_id, event.valid_from))
        elif isinstance(event, ProgramJoined | ProgramLeft):
            profile_id, at = UUID(bytes=event.profile_id), event.meta.occurred_at
            moved[profile_id] = min(at, moved.get(profile_id, at))
        elif isinstance(event, ProgramRulesSet):
            rules.add((event.program_id, event.valid_from))
    if codes:
        asked = {"codes": sorted(codes), "asked": ASKED}
        asking = {row["id"] for row in await rows_of(connection, ASKING, asked)}
        purchases |= asking
        orders |= asking
    if purchases:
        await connection.execute(DUE, [sorted(purchases)])
    if paid_with:
        await connection.execute(PAID_WITH, [sorted(paid_with)])
    if orders or purchases:
        await connection.execute(OF_ORDERS, {"ids": sorted(orders | purchases)})
    if moved:
        await connection.execute(MOVED, [list(moved), list(moved.values())])
    if rules:
        spans = in_force(rules, readable(await versions(connection)))
        await connection.execute(RULES_CAME, [list(column) for column in zip(*spans)])
    if places:
        columns = [list(column) for column in zip(*sorted(places))]
        await connection.execute(LOCATION_CAME, [*columns, DEFAULT_ZONE, DEFAULT_ZONE])
    if items:
        columns = [[sku for sku, _ in items], [at for _, at in items], list(items.values())]
        await connection.execute(ITEM_CAME, columns)


def in_force(
    told: Iterable[tuple[str, int]], versions: Iterable[Mapping[str, Any]]
) -> list[tuple[int, int]]:
    """The times of sale that versions of rules concern: from their `valid_from` to the next of
    their program, wider by as much as a business date can move a sale.

    `told`: program and `valid_from`. `versions`: rows that can be read: no other ends a version.
    """
    known = list(versions)
    spans = []
    for program_id, since in sorted(told):
        later = (
            row["valid_from"]
            for row in known
            if row["program_id"] == program_id and row["valid_from"] > since
        )
        spans.append((since - MOVED_MAX, min(later, default=FOR_EVER - MOVED_MAX) + MOVED_MAX))
    return spans
