"""Computes which items are suppressed, that is, not to be recommended after a purchase.

The kind of an item's need policy decides, from the last purchase of the item (or its category):

one_off        suppressed for ever
durable        suppressed for `interval_days`; if that is null, for ever
replenishable  suppressed for 0.8 x the usual interval between purchases: the policy's
               `interval_days`, else the customer's own interval after three purchases, else the
               interval of its category's policy, else 28 days
none           never suppressed

Purchases within 24 hours of the first of them are one occasion.

Lines that were returned completely or bought as a gift do not count. Times in microseconds. An end
after the year 9999 counts as for ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from projections.catalog import scope_of
from projections.core.instants import DAY, bounded
from projections.purchases.sale_state import SettledSale

SHARE_OF_INTERVAL = (4, 5)
GAPS_NEEDED = 2
USUAL_DAYS = 28
"""The interval of a replenishable item of which nothing else is known."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bought:
    """A line of which at least one unit was not returned."""

    sku: str
    at: int
    transaction_id: object


@dataclass(frozen=True, slots=True)
class Policy:
    """A need policy. `reach`: "SKU", "PRODUCT" or "CATEGORY", what a purchase suppresses."""

    kind: str
    reach: str
    interval_days: int | None


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why an item is suppressed: the purchase of `because_of` at `bought_at`.

    `until` None: for ever.
    """

    sku: str
    reason: str
    bought_at: int
    until: int | None
    because_of: str


NO_POLICY = Policy("NONE", "SKU", None)


def unreturned_lines(sales: Iterable[tuple[object, SettledSale]], at: int) -> list[Bought]:
    """Lines bought at or before `at` of which any unit is still sold (returned at any time).

    `sales`: transaction id and sale.
    """
    return [
        Bought(sold.line.sku, sale.at, transaction_id)
        for transaction_id, sale in sales
        if sale.known and sale.at <= at
        for sold in sale.lines.values()
        if sold.open > 0 and sold.line.goods and not sold.line.gift
    ]


class Catalogue:
    """The items and need policies in force at a time (microseconds)."""

    def __init__(self, items: Iterable[Row], policies: Iterable[Row], at: int) -> None:
        self._items = dict(_newest(items, "sku", at))
        self._policies = {
            scope: Policy(row["kind"], row["reach"], row["interval_days"])
            for scope, row in _newest(policies, "scope", at)
        }
        self._default = self._policies.get(scope_of(None, None), NO_POLICY)
        self._of_category = {
            category: self._policies.get(scope_of(None, category), self._default)
            for category in {row["category"] for row in self._items.values()}
        }

    def category(self, sku: str) -> str | None:
        """The item's category; None if the item is unknown."""
        row = self._items.get(sku)
        return None if row is None else row["category"]

    def product(self, sku: str) -> str | None:
        """The product of which the item is a variant; None if it is none."""
        row = self._items.get(sku)
        return None if row is None else row["product_id"]

    def policy(self, sku: str) -> Policy:
        """The item's own policy, else its category's, else the default, else `NO_POLICY`."""
        own = self._policies.get(scope_of(sku, None))
        if own is not None:
            return own
        return self._policy_of_category(sku)

    def usual_days(self, sku: str) -> int:
        """Days between purchases of a replenishable item whose policy does not say how many."""
        general = self._policy_of_category(sku)
        if general.kind != "REPLENISHABLE" or general.interval_days is None:
            return USUAL_DAYS
        return general.interval_days

    def _policy_of_category(self, sku: str) -> Policy:
        category = self.category(sku)
        return self._default if category is None else self._of_category[category]


def _newest(rows: Iterable[Row], name: str, at: int) -> Iterator[tuple[str, Row]]:
    versions: dict[str, Row] = {}
    for row in rows:
        held = versions.get(row[name])
        if row["valid_from"] <= at and (held is None or row["valid_from"] > held["valid_from"]):
            versions[row[name]] = row
    yield from versions.items()


def suppressions(
    candidates: Iterable[str], lines: list[Bought], catalogue: Catalogue, at: int
) -> dict[str, Suppression]:
    """By sku: the candidates that are suppressed at `at`, with the reason."""
    by_sku: dict[str, list[Bought]] = defaultdict(list)
    by_product: dict[str, list[Bought]] = defaultdict(list)
    by_category: dict[str, list[Bought]] = defaultdict(list)
    for line in lines:
        by_sku[line.sku].append(line)
        category, product = catalogue.category(line.sku), catalogue.product(line.sku)
        if category is not None:
            by_category[category].append(line)
        if product is not None:
            by_product[product].append(line)
    found = {}
    for sku in candidates:
        policy = catalogue.policy(sku)
        category, product = catalogue.category(sku), catalogue.product(sku)
        if policy.reach == "CATEGORY" and category is not None:
            met = by_category[category]
        elif policy.reach == "PRODUCT" and product is not None:
            met = by_product[product]
        else:
            met = by_sku[sku]
        suppression = _met(sku, policy, met, at, catalogue.usual_days(sku))
        if suppression is not None:
            found[sku] = suppression
    return found


def _met(
    sku: str, policy: Policy, lines: list[Bought], at: int, usual_days: int
) -> Suppression | None:
    if policy.kind == "NONE" or not lines:
        return None
    last = max(lines, key=lambda line: (line.at, line.sku))
    until = _until(policy, sorted({line.at for line in lines}), usual_days)
    if until is not None and at >= until:
        return None
    return Suppression(sku, policy.kind.lower(), last.at, until, last.sku)


def _until(policy: Policy, times: list[int], usual_days: int) -> int | None:
    if policy.kind == "REPLENISHABLE":
        share, of = SHARE_OF_INTERVAL
        interval = (
            policy.interval_days * DAY
            if policy.interval_days is not None
            else _own_interval(times) or usual_days * DAY
        )
        return bounded(times[-1] + interval * share // of)
    if policy.kind == "DURABLE" and policy.interval_days is not None:
        return bounded(times[-1] + policy.interval_days * DAY)
    return None


def _own_interval(times: list[int]) -> int:
    """The median interval between occasions; 0 if there are fewer than `GAPS_NEEDED` intervals."""
    gaps = [later - earlier for earlier, later in pairwise(_occasions(times))]
    return int(median(gaps)) if len(gaps) >= GAPS_NEEDED else 0


def _occasions(times: list[int]) -> list[int]:
    """When each occasion began: a purchase within a day of an occasion's first belongs to it."""
    begun: list[int] = []
    for at in times:
        if not begun or at - begun[-1] >= DAY:
            begun.append(at)
    return begun
