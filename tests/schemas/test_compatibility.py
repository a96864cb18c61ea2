"""Every version of a record can be read as every other, in bytes and in meaning."""

import copy
from typing import Any

import pytest

from schemas.tools.compatibility import clashes

V1: dict[str, Any] = {
    "type": "record",
    "name": "Sold",
    "namespace": "hitotsu",
    "fields": [
        {"name": "sku", "type": "string"},
        {"name": "paid", "type": "long", "is": "money"},
        {"name": "how", "type": {"type": "enum", "name": "How", "symbols": ["A"], "default": "A"}},
    ],
}
ABSENT = {"type": ["null", "string"], "default": None}


def _changed(**by_name: dict[str, Any] | None) -> dict[str, Any]:
    schema = copy.deepcopy(V1)
    fields = {field["name"]: field for field in schema["fields"]}
    for name, change in by_name.items():
        if change is None:
            del fields[name]
        else:
            fields[name] = {"name": name, **fields.get(name, {}), **change}
    schema["fields"] = list(fields.values())
    return schema


def test_a_field_that_may_be_absent_can_be_added_and_an_enum_can_grow() -> None:
    grown = {"type": "enum", "name": "How", "symbols": ["A", "B"], "default": "A"}
    v2 = _changed(note=ABSENT, how={"type": grown})
    assert clashes([("v1", V1), ("v2", v2)]) == []


@pytest.mark.parametrize(
    ("v2", "complaint"),
    [
        (_changed(store={"type": "string"}), "v2 cannot read what v1 wrote, at /fields/3"),
        (_changed(sku=None), "v1 cannot read what v2 wrote"),
        (_changed(sku={"type": "int"}), "cannot read"),
        (_changed(paid={"is": "instant"}), "/paid means {'is': 'instant'} in v2"),
        ({**V1, "fields": [{"name": "x", "type": "nothing"}]}, "v2 is not an Avro schema"),
    ],
)
def test_what_would_not_be_understood_is_named(v2: dict[str, Any], complaint: str) -> None:
    assert any(complaint in found for found in clashes([("v1", V1), ("v2", v2)]))


def test_versions_far_apart_are_compared_too() -> None:
    v2 = _changed(note=ABSENT)
    v3 = _changed(note={"type": ["null", "long"], "default": None})
    found = clashes([("v1", V1), ("v2", v2), ("v3", v3)])
    assert any("v3 cannot read what v2 wrote" in item for item in found)
    assert not any("v1" in item for item in found)
