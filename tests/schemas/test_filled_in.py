"""Is a record told again, whatever the gateway filled in?"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from schemas.generated.inputs import INPUTS, example, parse, to_event
from schemas.wire import codec
from schemas.wire.sameness import same_as_produced
from tests.schemas.sealers import OpenSealer

FILLED = {"ProfileRegistered", "ProfileUpdated", "IdentifierObserved"}


class AnotherIndex(OpenSealer):
    """A sealer whose normal forms are of another version."""

    def index(self, kind: str, clear: str) -> bytes:
        return bytes(reversed(super().index(kind, clear)))


def record(event: dict[str, Any], sealer: OpenSealer | None = None) -> bytes:
    return codec.encode(to_event(parse(event), sealer or OpenSealer()))


def verified(event: dict[str, Any], said: bool | None) -> dict[str, Any]:
    made = copy.deepcopy(event)
    for one in [*made.get("identifiers", ()), made.get("identifier", {})]:
        one.pop("verified", None)
        if said is not None and one:
            one["verified"] = said
    return made


def test_what_is_not_said_is_not_verified() -> None:
    made: Any = to_event(parse(verified(example("ProfileRegistered"), None)), OpenSealer())
    assert [one.verified for one in made.identifiers] == [False] * len(made.identifiers)


@pytest.mark.parametrize("name", sorted(FILLED))
def test_another_filling_says_the_same(name: str) -> None:
    event = example(name)
    before = record(verified(event, True))
    for after in (record(verified(event, None)), record(event, AnotherIndex())):
        assert after != before
        assert same_as_produced(before, after)
        assert same_as_produced(after, before)


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_another_field_says_something_else(name: str) -> None:
    event = example(name)
    for field, value in event.items():
        if isinstance(value, str) and field not in ("type", "accrual") and value != value.upper():
            other = {**event, field: event["meta"]["event_id"]}
            try:
                later = record(other)
            except Exception:
                continue  # no value of this field
            if value != other[field]:
                assert not same_as_produced(record(event), later), field


def test_another_event_is_not_told_again() -> None:
    sale = record(example("PurchaseCompleted"))
    assert not same_as_produced(sale, record(example("PurchaseVoided")))
    assert not same_as_produced(sale, b"")
    assert same_as_produced(sale, sale)
