"""Events of every kind, drawn at random from what their schemas allow."""

from functools import cache
from typing import Any

from hypothesis import strategies as st

from schemas.codes import with_normal_codes
from schemas.declarations import Field, RecordType, describe
from schemas.generated.events import Event
from schemas.generated.records import FROM_RECORD
from schemas.wire.bounds import AMOUNT_MAX, EARLIEST, FIRST_DAY, INT_MAX, INT_MIN, LAST_DAY, LATEST

DESCRIPTION = describe()
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_BY_SHAPE: dict[str, st.SearchStrategy[Any]] = {
    "string": _TEXT,
    "int": st.integers(INT_MIN, INT_MAX),
    "long": st.integers(-AMOUNT_MAX, AMOUNT_MAX),
    "double": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "bytes": st.binary(max_size=40),
    "id": st.binary(min_size=16, max_size=16),
}


@cache  # Hypothesis looks through a strategy when it first draws from it
def events(name: str) -> st.SearchStrategy[Event]:
    """Events of one kind, with their codes in normal form, as every reader gets them."""
    return records(DESCRIPTION.events[name]).map(FROM_RECORD[name]).map(with_normal_codes)


def records(record: RecordType) -> st.SearchStrategy[dict[str, Any]]:
    """The same, as the plain records that the Avro library knows."""
    return st.fixed_dictionaries({field.name: _values(field) for field in record.fields})


def _values(field: Field) -> st.SearchStrategy[Any]:
    drawn = _some(field)
    return st.none() | drawn if field.nullable else drawn


def _some(field: Field) -> st.SearchStrategy[Any]:
    part = DESCRIPTION.parts.get(str(field.of))
    if field.shape == "array":
        return st.lists(records(part) if part else _BY_SHAPE[str(field.item)], max_size=3)
    if part:
        return records(part)
    if field.shape == "enum":
        return st.sampled_from(DESCRIPTION.enums[str(field.of)].symbols)
    if field.meaning == "instant":
        return st.integers(EARLIEST, LATEST - 1)
    if field.meaning == "date":
        return st.integers(FIRST_DAY, LAST_DAY - 1)
    return _BY_SHAPE[field.shape]
