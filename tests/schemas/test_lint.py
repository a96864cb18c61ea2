"""Schemas that break the rules of the house, or could harm a reader, are refused."""

import copy
from typing import Any

import pytest

from schemas.declarations import sources
from schemas.tools import lint

SCHEMAS = sources()
EVENT = "hitotsu.StockReceived"


def _with(**changes: Any) -> dict[str, dict[str, Any]]:
    schemas = copy.deepcopy(SCHEMAS)
    schemas[EVENT].update(changes)
    return schemas


def _with_field(**field: Any) -> dict[str, dict[str, Any]]:
    schemas = copy.deepcopy(SCHEMAS)
    schemas[EVENT]["fields"].append({"name": "extra", "doc": "More.", **field})
    return schemas


def test_our_own_schemas_keep_the_rules() -> None:
    assert lint.check() == []


@pytest.mark.parametrize(
    ("field", "complaint"),
    [
        ({"type": "string", "doc": ""}, "has no doc"),
        ({"type": "string", "name": "Extra"}, "snake_case"),
        ({"type": ["null", "string"]}, "must have the default null"),
        ({"type": "string", "pii": "name"}, "must be bytes with pii"),
        ({"type": "bytes", "pii": "shoe_size"}, "must be bytes with pii"),
        ({"type": "hitotsu.Uuid", "blind": "sku"}, "name a personal field"),
        ({"type": "hitotsu.Uuid", "blind": "nothing"}, "name a personal field"),
        ({"type": "string", "is": "money"}, "cannot have is: 'money'"),
        ({"type": "long", "is": "light_years"}, "cannot have is: 'light_years'"),
        ({"type": "long", "is": "instant"}, 'is marked "time"'),
        ({"type": "long", "is": "instant", "time": "sometime"}, 'is marked "time"'),
        ({"type": "int", "is": "date", "time": "happened"}, 'is marked "time"'),
    ],
)
def test_a_field_that_breaks_a_rule_is_named(field: dict[str, Any], complaint: str) -> None:
    (found,) = lint.findings(_with_field(**field))
    assert complaint in found
    assert found.startswith("StockReceived.")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"doc": ""}, "has no doc"),
        ({"namespace": "elsewhere"}, "its namespace must be hitotsu"),
        ({"fields": SCHEMAS[EVENT]["fields"][1:]}, "the first field of an event must be meta"),
    ],
)
def test_an_event_that_breaks_a_rule_is_named(change: dict[str, Any], complaint: str) -> None:
    assert any(complaint in found for found in lint.findings(_with(**change)))


def test_an_enum_needs_a_word_for_words_that_come_later() -> None:
    schemas = copy.deepcopy(SCHEMAS)
    del schemas["hitotsu.Channel"]["default"]
    assert lint.findings(schemas) == [
        "Channel: an enum needs a default, for symbols that are added later"
    ]


@pytest.mark.parametrize(
    "kind",
    [
        EVENT,
        {"type": "array", "items": EVENT},
        {"type": "map", "values": ["null", EVENT]},
        {"type": "record", "name": "Inner", "fields": [{"name": "a", "type": EVENT}]},
    ],
)
def test_a_schema_that_holds_itself_is_refused(kind: Any) -> None:
    assert any("contains itself" in found for found in lint.findings(_with_field(type=kind)))


@pytest.mark.parametrize(
    ("items", "dangerous"),
    [
        ("null", True),
        ({"type": "fixed", "name": "Nothing", "size": 0}, True),
        ({"type": "record", "name": "Empty", "fields": []}, True),
        ({"type": "record", "name": "Shell", "fields": [{"name": "a", "type": "null"}]}, True),
        ("string", False),
        (["null", "int"], False),
        ("hitotsu.Uuid", False),
        ("hitotsu.Tender", False),
    ],
)
def test_an_array_of_items_without_bytes_is_refused(items: Any, dangerous: bool) -> None:
    found = lint.dangers({"type": "array", "items": items, "name": "Many"}, SCHEMAS)
    assert bool(found) == dangerous
