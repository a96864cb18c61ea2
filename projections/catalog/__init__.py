"""The tables of items, need policies and locations, with their versions by valid time.

Other projections may read these tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from projections.core import Projection, Row, View, key, latest_by, maximum
from schemas.barcodes import spellings
from schemas.calendars import StoreCalendar, calendar_of, minutes_of
from schemas.generated.events import ItemDescribed, LocationDescribed, NeedPolicySet

projection = Projection("catalog", version=3, formerly=("purchase_suppression", "shared_stock"))

item = projection.table(
    "item",
    sku=key("text"),
    valid_from=key("bigint"),
    described_at=maximum(),
    name=latest_by("text", at="described_at"),
    category=latest_by("text", at="described_at"),
    product_id=latest_by("text", at="described_at"),
    size=latest_by("text", at="described_at"),
    colour=latest_by("text", at="described_at"),
    moved_by="commerce.catalog",
    view=View(by=("sku",)),
)
# each declaration of a barcode twice, with the barcode and with the sku as `node`, in every length
# in which the barcode is written (`barcodes.py`)
item_code = projection.table(
    "item_code",
    node=key("text"),
    code=key("text"),
    sku=key("text"),
    valid_from=key("bigint"),
    described_at=maximum(),
    moved_by="commerce.catalog",
    view=View(by=("node",)),
)
need_policy = projection.table(
    "need_policy",
    scope=key("text"),
    valid_from=key("bigint"),
    set_at=maximum(),
    kind=latest_by("text", at="set_at"),
    reach=latest_by("text", at="set_at"),
    interval_days=latest_by("bigint", at="set_at"),
    moved_by="commerce.catalog",
    view=View(by=("scope",)),
)
location = projection.table(
    "location",
    location_id=key("text"),
    valid_from=key("bigint"),
    described_at=maximum(),
    kind=latest_by("text", at="described_at"),
    name=latest_by("text", at="described_at"),
    latitude_e6=latest_by("bigint", at="described_at"),  # degrees by a million
    longitude_e6=latest_by("bigint", at="described_at"),
    time_zone=latest_by("text", at="described_at"),
    day_starts_at=latest_by("int", at="described_at"),  # minutes after midnight
    moved_by="commerce.catalog",
    view=View(by=("location_id",)),
    later=("time_zone", "day_starts_at"),
)


@projection.on(ItemDescribed)
def described(event: ItemDescribed) -> Iterator[Row]:
    yield item(
        sku=event.sku,
        valid_from=event.valid_from,
        described_at=event.meta.occurred_at,
        name=event.name,
        category=event.category,
        product_id=event.product_id,
        size=event.size,
        colour=event.colour,
    )
    for barcode in event.barcodes:
        for code in spellings(barcode):
            for node in {code, event.sku}:
                yield item_code(
                    node=node, code=code, sku=event.sku, valid_from=event.valid_from,
                    described_at=event.meta.occurred_at,
                )  # fmt: skip


@projection.on(NeedPolicySet)
def policy_set(event: NeedPolicySet) -> Iterator[Row]:
    yield need_policy(
        scope=scope_of(event.sku, event.category),
        valid_from=event.valid_from,
        set_at=event.meta.occurred_at,
        kind=event.kind,
        reach=event.reach,
        interval_days=event.interval_days,
    )


@projection.on(LocationDescribed)
def location_described(event: LocationDescribed) -> Iterator[Row]:
    yield location(
        location_id=event.location_id,
        valid_from=event.valid_from,
        described_at=event.meta.occurred_at,
        kind=event.kind,
        name=event.name,
        latitude_e6=_millionths(event.latitude),
        longitude_e6=_millionths(event.longitude),
        time_zone=event.time_zone,
        day_starts_at=minutes_of(event.day_starts_at),
    )


def _millionths(degrees: float | None) -> int | None:
    return None if degrees is None else round(degrees * 1e6)


def scope_of(sku: str | None, category: str | None) -> str:
    """The key of a need policy: of an item, else of a category, else "default"."""
    if sku is not None:
        return f"sku:{sku}"
    return "default" if category is None else f"category:{category}"


def version_at(versions: Iterable[Mapping[str, Any]], at: int) -> Mapping[str, Any] | None:
    """The version in force at `at` (microseconds): the latest `valid_from` that is not later."""
    begun = [version for version in versions if version["valid_from"] <= at]
    return max(begun, key=lambda version: version["valid_from"], default=None)


def calendar_at(versions: Iterable[Mapping[str, Any]], at: int) -> StoreCalendar:
    """The calendar of a store at an instant, from its rows of the table `location`.

    A store that nobody has described has the default calendar.
    """
    version = version_at(versions, at) or {}
    return calendar_of(version.get("time_zone"), version.get("day_starts_at"))
