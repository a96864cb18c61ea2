"""A legal new field, anywhere in a schema, must leave every other field where it belongs."""

import json
import random
import sys
from pathlib import Path

import pytest

from schemas.declarations import describe
from schemas.history import releases
from schemas.tools import generate
from tests.schemas.homes import run, tree

ROOT = Path(__file__).parents[2]
INSERTED = "put_between"
FIELD = {
    "name": INSERTED, "type": ["null", "string"], "default": None, "is": "code", "doc": "New.",
}  # fmt: skip
LONGEST = max(
    len(record.fields) for record in [*describe().events.values(), *describe().parts.values()]
)

# Every event from its example, through the wire, and what staff's decisions become.
_TELL = """
import json
from dataclasses import asdict
from uuid import UUID
from schemas.generated.inputs import INPUTS, example, parse, to_event
from schemas.wire.codec import decode, encode
from services.identity.review.facts import fact_of
from tests.schemas.sealers import OpenSealer

told = {}
for name in sorted(INPUTS):
    event = decode(encode(to_event(parse(example(name)), OpenSealer())))
    told[name] = asdict(event)
for verdict in ("link", "decline", "unlink"):
    fact = fact_of(
        verdict, (b"a" * 16, b"b" * 16), ("seen",), version="v7", weight=1.5, at=1, actor="alice",
        reason="typed twice", event_id=UUID(int=7),
    )
    fact.meta = None
    told[verdict] = asdict(fact)
print(json.dumps(told, default=repr, sort_keys=True))
"""


def _insert(home: Path, place: int) -> None:
    """The field in every schema at this place, or at the end of a shorter one."""
    events = describe(home).events
    for path in sorted([*home.glob("contracts/*/*.avsc"), *home.glob("types/*.avsc")]):
        schema = json.loads(path.read_text(encoding="utf-8"))
        if schema["type"] == "record":
            first = schema["name"] in events  # the envelope stays the first field of an event
            schema["fields"].insert(max(place, int(first)), FIELD)
            path.write_text(json.dumps(schema), encoding="utf-8")
    releases.release(home)
    generate.write(home)


def _without(told: object) -> object:
    if isinstance(told, list):
        return [_without(item) for item in told]
    if not isinstance(told, dict):
        return told
    assert told.get(INSERTED) in (None, INSERTED)  # the second in examples
    return {name: _without(value) for name, value in told.items() if name != INSERTED}


def _stays_in_place(folder: Path, place: int) -> None:
    before = json.loads(run(ROOT, sys.executable, "-c", _TELL))
    _insert(tree(folder), place)
    after = json.loads(run(folder, sys.executable, "-c", _TELL))
    assert INSERTED in after["unlink"]
    assert _without(after) == before


def test_a_field_put_between_others_moves_none_of_them(tmp_path: Path) -> None:
    place = random.randrange(LONGEST + 1)
    _stays_in_place(tmp_path, place)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("place", range(LONGEST + 1))
def test_a_field_at_every_place_moves_none_of_them(tmp_path: Path, place: int) -> None:
    _stays_in_place(tmp_path, place)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_types_and_pure_tests_hold_with_a_field_put_between(tmp_path: Path) -> None:
    _insert(tree(tmp_path), random.randrange(LONGEST + 1))
    run(tmp_path, sys.executable, "-m", "mypy", "--strict", "schemas", "projections", "services")
    pure = "not servers and not long and not faults"
    rooms = ("tests/projections", "tests/services/identity", "tests/services/points")
    run(
        tmp_path,
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-m",
        pure,
        "-p",
        "no:cacheprovider",
        *rooms,
    )
