"""Do questions find what is told, however the code is written, and is a day a day?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from projections import discover

# how a code is shown that was asked for as " ｓ001", by the name of the parameter
LOCATIONS = dict.fromkeys(("location_id", "store_id", "terminal_id"), "S001")
CODES = LOCATIONS | dict.fromkeys(("sku", "receipt_number"), "s001")


def _asked() -> Iterator[tuple[str, str, Any]]:
    """Path, name and type of every parameter of a query, and of the fields of its body."""
    for query in (one for projection in discover() for one in projection.queries):
        hints = get_type_hints(query.function, include_extras=True)
        body = hints.pop("body", None)
        hints.pop("return")
        if isinstance(body, type) and issubclass(body, BaseModel):
            hints |= get_type_hints(body, include_extras=True)
        for name, kind in hints.items():
            yield query.path, name, kind


ASKED = list(_asked())
CODED = [(path, name, kind) for path, name, kind in ASKED if name in CODES]


def test_there_are_questions_by_code() -> None:
    assert len(CODED) > 10


@pytest.mark.parametrize(("path", "name", "kind"), CODED, ids=[f"{p} {n}" for p, n, _ in CODED])
def test_a_code_is_found_however_it_is_written(path: str, name: str, kind: Any) -> None:
    assert TypeAdapter(kind).validate_python(" ｓ001\u200b") == CODES[name]


DAYS = [
    (path, name, kind)
    for path, name, kind in ASKED
    if name == "day" or kind in (date, date | None, datetime)
]


@pytest.mark.parametrize(("path", "name", "kind"), DAYS, ids=[f"{p} {n}" for p, n, _ in DAYS])
def test_a_day_is_a_date_and_nothing_else(path: str, name: str, kind: Any) -> None:
    day = TypeAdapter(kind)
    assert day.validate_python("2026-02-28") == date(2026, 2, 28)
    for told in ("86400", "20260228", "2026-02-28T00:00:00", "2026-02-30", "2026-2-8", "", 86400):
        with pytest.raises(ValidationError, match="YYYY-MM-DD"):
            day.validate_python(told)
