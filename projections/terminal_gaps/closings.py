"""What a till says when it closes a day, as `terminal_closing.said` holds it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json, to_json

from schemas.generated.events import TerminalDayClosed
from schemas.generated.events.parts import TaxByRate, Tender

Ranges = list[list[int]]
"""Ranges of numbers, the first and the last of each."""
Taxes = dict[str, list[int]]
"""By rate in hundredths of a percent: what was sold without tax, and the tax."""


@dataclass(frozen=True, slots=True)
class Closing:
    """A closed day of a till. `ranges`: of its receipt numbers; two where they rolled over.

    `count`: of receipts. `tenders`: sums by means of payment. Sums are in minor units.
    """

    ranges: Ranges
    count: int
    currency: str
    tenders: dict[str, int] = field(default_factory=dict)
    taxes: Taxes = field(default_factory=dict)


def said_of(event: TerminalDayClosed) -> str:
    """The closing as JSON text."""
    return to_json(
        {
            "ranges": ranges_of(event.first_number, event.last_number, event.count),
            "count": event.count,
            "currency": event.currency,
            "tenders": by_kind(event.tenders),
            "taxes": by_rate(event.tax_by_rate),
        }
    ).decode()


def closing_of(said: str) -> Closing:
    """The closing that a JSON text says."""
    told: dict[str, Any] = from_json(said)
    return Closing(**told)


def ranges_of(first: int | None, last: int | None, count: int) -> Ranges:
    """The numbers of a day; none where nothing was counted and the ends are not apart.

    Where the last is before the first, the numbers rolled over: to 1 or 0, from the number that
    makes `count` true, which is all nines if it can be. If none does, only both ends are known.
    """
    if first is None or last is None or (not count and last <= first):
        return []
    if first <= last:
        return [[first, last]]
    tops = {start: first + count - (last - start + 1) - 1 for start in (1, 0)}
    possible = [start for start, top in tops.items() if top >= first and last >= start]
    nines = [start for start in possible if set(str(tops[start])) == {"9"}]
    start = next(iter(nines or possible), None)
    if start is None:
        return [[first, first], [last, last]]
    return [[start, last], [first, tops[start]]]


def by_kind(tenders: Iterable[Tender]) -> dict[str, int]:
    """Sums by means of payment, in the order of their names."""
    sums: dict[str, int] = {}
    for one in tenders:
        sums[one.kind] = sums.get(one.kind, 0) + one.amount
    return dict(sorted(sums.items()))


def by_rate(taxes: Iterable[TaxByRate]) -> Taxes:
    """Net and tax by rate, in the order of the rates."""
    sums: dict[int, list[int]] = {}
    for one in taxes:
        net, tax = sums.get(one.rate_basis_points, (0, 0))
        sums[one.rate_basis_points] = [net + one.net, tax + one.tax]
    return {str(rate): both for rate, both in sorted(sums.items())}


def plus(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    """Sums of two closings by means of payment."""
    return {kind: first.get(kind, 0) + second.get(kind, 0) for kind in {**first, **second}}
