"""What older releases wrote is read without the Avro library, and says what the library says."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from schemas.generated.events import Event
from schemas.generated.records import TO_RECORD
from schemas.history.releases import Release, releases
from schemas.tools import golden_bytes
from schemas.wire.added_fields import with_added_fields
from schemas.wire.codec import HEADER, Codec, Undecodable
from schemas.wire.readers import Read, reader, written
from tests.drawn import examples
from tests.schemas.drawing import DESCRIPTION, events

KNOWN = releases()
LIBRARY = Codec(KNOWN)
OLDER = [item for item in KNOWN if KNOWN.newest[item.record].id != item.id]
CORPUS = [item for item in golden_bytes.corpus() if item.release in OLDER]


def _name(item: Release) -> str:
    return f"{item.record}.v{item.version}"


def _schema(item: Release) -> dict[str, Any]:
    found = with_added_fields(KNOWN.schema(item), KNOWN.schema(KNOWN.newest[item.record]))
    assert found is not None, (
        f"{_name(item)} is left to the library, which takes forty times longer"
    )
    return found


@cache
def _parsed(item: Release) -> Any:
    return fastavro.parse_schema(KNOWN.schema(item))


@cache
def _later_words(item: Release) -> frozenset[str]:
    """Words of enums that this release did not have yet."""
    now = {word for enum in DESCRIPTION.enums.values() for word in enum.symbols}
    text = KNOWN.text(item)
    return frozenset(word for word in now if f'"{word}"' not in text)


def _value(item: Release, event: Event) -> bytes:
    """The event as this release wrote it; what came later is left out."""
    body = BytesIO()
    fastavro.schemaless_writer(body, _parsed(item), TO_RECORD[event.NAME](event))
    return b"\0" + item.id.to_bytes(4, "big") + body.getvalue()


def _has_later_word(value: Any, later: frozenset[str]) -> bool:
    if isinstance(value, dict):
        return any(_has_later_word(part, later) for part in value.values())
    if isinstance(value, list):
        return any(_has_later_word(part, later) for part in value)
    return isinstance(value, str) and value in later


def _said(read: Callable[[bytes], Event], value: bytes) -> object:
    try:
        return read(value)
    except (Undecodable, ValueError, IndexError, KeyError):
        return None


@pytest.mark.parametrize("kind", [reader, written])
@pytest.mark.parametrize("item", OLDER, ids=_name)
@settings(max_examples=examples(3), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_value_of_before_is_read_as_the_library_reads_it(
    item: Release, kind: Callable[..., Read], data: st.DataObject, seed: int
) -> None:
    event = data.draw(events(item.record))
    assume(not _has_later_word(_fields_of_before(item, event), _later_words(item)))
    value, chance = _value(item, event), random.Random(seed)
    read = _read(item, kind)
    assert _same(read(value), LIBRARY._decode(value))
    for _ in range(20):
        at = chance.randrange(HEADER, len(value))
        changed = value[:at] + chance.randbytes(1) + value[at + 1 :]
        quick = _said(read, changed)
        assert quick is None or _same(quick, _said(LIBRARY._decode, changed))


def _fields_of_before(item: Release, event: Event) -> Any:
    """The fields of the event that this release had."""
    names = {field["name"] for field in KNOWN.schema(item)["fields"]}
    return [value for name, value in TO_RECORD[event.NAME](event).items() if name in names]


def _same(one: Any, other: Any) -> bool:
    """A weight that is not a number equals nothing, but is written as it was read."""
    return bool(one == other) or LIBRARY.encode(one) == LIBRARY.encode(other)


@cache
def _read(item: Release, kind: Callable[..., Read]) -> Read:
    return kind(_schema(item), HEADER)


@pytest.mark.parametrize("item", CORPUS, ids=lambda item: _name(item.release))
def test_golden_values_of_before_are_read_without_the_library(item: golden_bytes.Golden) -> None:
    codec = Codec(KNOWN)
    first = codec.decode(item.value)
    quick = codec._compiled[item.value[:HEADER]]
    assert quick(item.value) == first == codec._decode(item.value)


def test_a_list_says_no_more_items_than_bytes_are_left() -> None:
    release = KNOWN.newest["DiscrepancySettled"]
    golden = next(one for one in golden_bytes.corpus() if one.release == release)
    value = golden.value
    (at,) = [n for n in range(HEADER, len(value)) if _is_count(value, n, release)]
    endless = value[:at] + b"\xfe\xff\xff\xff\x0f" + value[at + 1 :]  # 2**31 - 1 ids
    for kind in (reader, written):
        with pytest.raises((ValueError, IndexError)):
            _read(release, kind)(endless)


def _is_count(value: bytes, at: int, release: Release) -> bool:
    """Whether this byte counts the ids of an empty list: one id more can be put behind it."""
    more = value[:at] + b"\x02" + bytes(range(1, 17)) + value[at:]
    found = _said(_read(release, reader), more)
    return bool(value[at] == 0 and getattr(found, "refers", None) == [bytes(range(1, 17))])


def test_lists_that_came_later_are_not_shared_between_events() -> None:
    item = KNOWN.of("PurchaseCompleted")[0]
    golden = next(one for one in CORPUS if one.release == item)
    for kind in (reader, written):
        read: Read = kind(_schema(item), HEADER)
        one, other = (read(golden.value) for _ in range(2))
        one.tax_by_rate.append(None)  # type: ignore[union-attr,arg-type]
        assert other.tax_by_rate == []  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["fields"][1].update(type="long"),
        lambda s: s["fields"].pop(2),
        lambda s: s["fields"].append({"name": "new", "type": "int", "doc": "No default."}),
        lambda s: s["fields"].append({"name": "new", "type": "Part", "default": {"a": 1}}),
        lambda s: s["fields"][3].update({"is": "change"}),
    ],
)
def test_schemas_that_differ_in_more_than_added_fields_are_left_to_the_library(
    change: Callable[[dict[str, Any]], object],
) -> None:
    known = KNOWN.schema(KNOWN.newest["StockReceived"])
    assert with_added_fields(known, known) is not None
    newest = json.loads(json.dumps(known))
    change(newest)
    assert with_added_fields(known, newest) is None
