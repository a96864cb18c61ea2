"""Does a sale's page read only lists of discrepancies that can have the sale as their subject?"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from projections import discover
from projections.core.lists import Listing
from projections.purchases.sale_page import _discrepancies

LISTS = [
    one for projection in discover() for one in projection.listings if one.name == "discrepancies"
]


@pytest.mark.parametrize("one", LISTS, ids=lambda one: f"{one.projection} {one.labels}")
def test_a_list_says_whether_its_rows_have_a_subject(one: Listing) -> None:
    assert one.has_subjects == ("null::uuid as subject_id" not in one.statement)


def test_a_sale_asks_for_rows_of_subjects() -> None:
    asked: list[tuple[str, bool]] = []

    class Read:
        async def listed(self, name: str, _: str, *, of_subjects: bool, **__: Any) -> list[Any]:
            asked.append((name, of_subjects))
            return []

    assert asyncio.run(_discrepancies(Read(), uuid4())) == []  # type: ignore[arg-type]
    assert asked == [("discrepancies", True)]
