"""Reads what is expected of an item: announced deliveries and preorders by date, and how many of
the preorders they cover.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from projections.core.instants import instant
from projections.shared_stock.preorders import Expected, covered, promisable
from projections.shared_stock.promisable_units import ExpectedUnits
from schemas.measures import location_and_unit, shown

# the cells of the item's codes, each with its units by date
EXPECTED_NOW = """
select sku, location_id, on_hand, on_hand_read_at, committed, unavailable, incoming, row_version,
    coalesce((
    select json_agg(json_build_object('location_id', location_id, 'expected_at', expected_at,
        'incoming', incoming, 'preordered', preordered) order by expected_at)
    from (
        select e.location_id, e.expected_at, sum(e.incoming)::bigint as incoming,
            sum(e.preordered)::bigint as preordered
        from stock_expected e where e.sku = c.sku and e.location_id = c.location_id
        group by e.location_id, e.expected_at
    ) e
), '[]') as expected
from stock_cell c where sku = any(%(codes)s) order by sku, location_id
"""
EXPECTED_THEN = """
select location_id, expected_at, sum(incoming)::bigint as incoming,
    sum(preordered)::bigint as preordered
from stock_expected_move where sku = %(sku)s and at <= %(at)s
group by location_id, expected_at having sum(incoming) <> 0 or sum(preordered) <> 0
order by location_id, expected_at
"""


class ExpectedStock:
    """What is expected of one item, judged at a time (microseconds)."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._by_location: dict[str, list[Expected]] = {}

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Adds units by location and date, sorted by them."""
        for row in rows:
            units = Expected(row["expected_at"], row["incoming"], row["preordered"])
            self._by_location.setdefault(row["location_id"], []).append(units)

    @property
    def covered(self) -> dict[str, int]:
        """Preordered units that units on their way cover, by location."""
        return {place: covered(units, self._at) for place, units in self._by_location.items()}

    @property
    def shown(self) -> list[ExpectedUnits]:
        """As answers show it."""
        return [
            self._shown(one, units, *location_and_unit(place))
            for place, units in self._by_location.items()
            for one in units
        ]

    def _shown(
        self, one: Expected, units: list[Expected], location_id: str, unit: str | None
    ) -> ExpectedUnits:
        return ExpectedUnits(
            location_id=location_id, expected_at=instant(one.expected_at), unit=unit,
            incoming=shown(one.incoming, unit), preordered=shown(one.preordered, unit),
            promisable=shown(promisable(units, one.expected_at, self._at), unit),
        )  # fmt: skip
