"""Parts of answers that several queries of tills have."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel


class Gap(BaseModel):
    """A range of receipt numbers, from `first` to `last` inclusive."""

    first: int
    last: int


def gaps_of(ranges: Iterable[list[int]]) -> list[Gap]:
    """Ranges as answers show them."""
    return [Gap(first=first, last=last) for first, last in ranges]
