"""Computes the golden record: the values that a member shows where its profiles differ, and why.

The kana of the name is taken from the profile of the name, and the postcode from that of the
address, so that they fit together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from projections.member.rules import Order, Survivorship

FOLLOWS = {"name_kana": "name", "postcode": "address"}
Because = Literal["only", "verified", "source", "newest", "senior", "with_name", "with_address"]


class SourcedValue(NamedTuple):
    """A profile's value of a field.

    `at`: when it was set, in microseconds. `stored`: event id and sealed bytes. `sealed_as`: the
    event's field in which it was sealed.
    """

    field: str
    profile_id: UUID
    source_system: str | None
    at: int
    verified: bool
    stored: bytes
    sealed_as: str


class ChosenValue(NamedTuple):
    """The chosen value, and the criterion by which it was chosen."""

    given: SourcedValue
    because: Because


def golden(rules: Survivorship, given: Sequence[SourcedValue]) -> dict[str, ChosenValue]:
    """The chosen values by field, of all fields that any profile has.

    `given`: all values, those of the profile registered first at the front.
    """
    fields: dict[str, list[SourcedValue]] = {}
    for one in given:
        fields.setdefault(one.field, []).append(one)
    chosen = {name: _best(rules.of(name), several) for name, several in fields.items()}
    for name, lead in FOLLOWS.items():
        if name in chosen and lead in chosen:
            whose = chosen[lead].given.profile_id
            with_it = [one for one in fields[name] if one.profile_id == whose]
            if with_it and len(fields[name]) > 1:
                because: Because = "with_name" if lead == "name" else "with_address"
                chosen[name] = ChosenValue(with_it[0], because)
    return chosen


def _best(order: Order, several: Sequence[SourcedValue]) -> ChosenValue:
    left = list(several)
    if len(left) == 1:
        return ChosenValue(left[0], "only")
    because: Because = "senior"
    for criterion in order.order:
        worth = [_worth(criterion, order, one) for one in left]
        best = max(worth)
        if min(worth) < best:
            left = [one for one, its in zip(left, worth, strict=True) if its == best]
            because = criterion
        if len(left) == 1:
            return ChosenValue(left[0], because)
    return ChosenValue(left[0], "senior")


def _worth(criterion: str, order: Order, given: SourcedValue) -> int:
    if criterion == "verified":
        return given.verified
    if criterion == "newest":
        return given.at
    trusted = order.sources
    return -trusted.index(given.source_system) if given.source_system in trusted else -len(trusted)
