"""Which codes are one item? Barcodes are bound when they are read, never when they are stored.

A barcode belongs to the item whose declaration is the latest: by `valid_from`, then by when it was
told, then by sku. So it does not matter in which order declarations, sales and counts arrive, and
nothing is stored again under another code. The codes of an item are its own sku and the barcodes
that belong to it, in every length. An item whose own sku is another item's barcode has no barcodes
of its own: every code belongs to one item only.

`item_code` has each declaration twice, under the barcode and under the sku, so that one question
tells that a code stands alone. The same answer follows in Python, for queries, and in SQL, for
deciders and lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from projections.catalog import item_code
from projections.core import Read

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ItemCodes:
    """An item: its own `sku`, and all its codes, the sku first."""

    sku: str
    codes: tuple[str, ...]


async def item_of(read: Read, code: str, at: int) -> ItemCodes:
    """The item that a code belongs to at `at` (microseconds); the code alone if it is no barcode
    and has none, which one look into the cache of catalogue rows tells.
    """
    if not await read.rows(item_code, node=code):
        return ItemCodes(code, (code,))
    return (await items_of(read, {code}, at))[code]


async def items_of(read: Read, codes: Iterable[str], at: int) -> dict[str, ItemCodes]:
    """By code: the item that it belongs to."""
    asked = sorted(codes)
    known = await read.rows(item_code, node=asked)
    if not known:
        return {code: ItemCodes(code, (code,)) for code in asked}
    owners = winners(known, at)
    above = {owners[code] for code in asked if code in owners} - set(asked)
    if above:
        known += await read.rows(item_code, node=above)
        owners |= winners(known, at)
    own = {code: own_sku(code, owners) for code in asked}
    declared = {
        row["code"] for row in known if row["sku"] in own.values() and row["code"] != row["sku"]
    }
    if declared:
        owners |= winners(await read.rows(item_code, node=declared), at)
    found = {sku: ItemCodes(sku, (sku, *_belonging(sku, declared, owners))) for sku in own.values()}
    return {code: found[sku] for code, sku in own.items()}


def winners(rows: Iterable[Mapping[str, Any]], at: int) -> dict[str, str]:
    """By barcode: the sku whose declaration is the latest, of rows under the barcode itself."""
    latest: dict[str, tuple[int, int, str]] = {}
    for row in rows:
        code, sku = row["code"], row["sku"]
        if row["node"] != code or code == sku or row["valid_from"] > at:
            continue
        told = row["valid_from"], row["described_at"], sku
        latest[code] = max(latest.get(code, told), told)
    return {code: sku for code, (_, _, sku) in latest.items()}


def own_sku(code: str, owners: Mapping[str, str]) -> str:
    """The own sku of the item of a code, by the owners of the code and of that sku."""
    owner = owners.get(code)
    return code if owner is None or owner in owners else owner


def _belonging(sku: str, declared: Iterable[str], owners: Mapping[str, str]) -> Iterator[str]:
    return (code for code in sorted(declared) if sku not in owners and owners.get(code) == sku)


NOW = "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
_WINNER = f"""(
    select w.sku from item_code w
    where w.node = {{code}} and w.code = {{code}} and w.sku <> {{code}} and w.valid_from <= {NOW}
    order by w.valid_from desc, w.described_at desc, w.sku desc limit 1
)"""
ITEMS = f"""
select a.asked, r.own, m.code
from unnest({{codes}}) a(asked)
cross join lateral (select {_WINNER.format(code="a.asked")} as sku) o
cross join lateral (
    select case when o.sku is null or {_WINNER.format(code="o.sku")} is not null
        then a.asked else o.sku end as own
) r
cross join lateral (
    select r.own as code
    union
    select d.code from item_code d
    where d.node = r.own and d.sku = r.own and d.code <> r.own
        and {_WINNER.format(code="r.own")} is null and {_WINNER.format(code="d.code")} = r.own
) m
"""
"""SQL: the codes of the items of an array of codes: asked, own, code. `codes`: the array."""
OWN_SKUS = f"""
select w.code, w.sku from (
    select distinct on (code) code, sku from item_code
    where node = code and code <> sku and valid_from <= {NOW}
    order by code, valid_from desc, described_at desc, sku desc
) w where not exists (
    select from item_code o
    where o.node = w.sku and o.code = w.sku and o.sku <> w.sku and o.valid_from <= {NOW}
)
"""
"""SQL: the barcodes that belong to an item, with its own sku: code, sku. All others are alone."""
