"""What people type is sealed; a new plain text for it is refused."""

import copy
from typing import Any

import pytest

from schemas.declarations import sources
from schemas.tools import free_text, generate
from tests.schemas.homes import add_field
from tests.schemas.homes import copy as copy_of_schemas

SCHEMAS = sources()
EVENT = "hitotsu.StockReceived"
TEXTS: list[Any] = [
    "string",
    ["null", "string"],
    {"type": "array", "items": "string"},
    ["null", {"type": "array", "items": "string"}],
    {"type": "map", "values": "string"},
]


def _with(**field: Any) -> dict[str, dict[str, Any]]:
    schemas = copy.deepcopy(SCHEMAS)
    schemas[EVENT]["fields"].append({"name": "remark", "doc": "A remark.", **field})
    return schemas


@pytest.mark.parametrize("kind", TEXTS, ids=str)
@pytest.mark.parametrize("meaning", [{}, {"is": "text"}], ids=str)
def test_an_unsealed_free_text_is_refused(kind: Any, meaning: dict[str, str]) -> None:
    (complaint,) = free_text.findings(_with(type=kind, **meaning))
    assert complaint.startswith("StockReceived.remark: is a text that is not sealed")


def test_a_code_and_a_sealed_note_are_taken() -> None:
    assert not list(free_text.findings(_with(type=["null", "string"], **{"is": "code"})))
    assert not list(free_text.findings(_with(type=["null", "bytes"], pii="free_text")))


def test_the_list_of_old_texts_only_gets_shorter() -> None:
    schemas = copy.deepcopy(SCHEMAS)
    for field in schemas["hitotsu.StockReceived"]["fields"]:
        if field["name"] == "reference":
            field["is"] = "code"
    (complaint,) = free_text.findings(schemas)
    assert complaint.startswith("StockReceived.reference: is not an unsealed text any more")
    assert len(free_text.OLD) <= 53


def test_the_schemas_are_checked_with_it(tmp_path: Any) -> None:
    home = copy_of_schemas(tmp_path)
    add_field(home, "stock_received.avsc", {
        "name": "remark", "type": ["null", "string"], "default": None, "doc": "A remark.",
    })  # fmt: skip
    assert any("StockReceived.remark" in line for line in generate.problems(home))
