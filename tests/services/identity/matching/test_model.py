"""Is a model read back as it was written, and is a wrong one refused with its reason?"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from services.identity.matching import MatchModel


def test_json_gives_the_same_model_back(model: MatchModel) -> None:
    assert MatchModel.from_json(model.to_json()) == model
    assert MatchModel.of(json.loads(model.to_json())) == model


def test_no_name_and_no_place_stands_in_it(model: MatchModel) -> None:
    text = model.to_json()

    assert "佐藤" not in text
    assert "satou" not in text
    assert "1000" not in model.frequencies["address"].terms


def _levels(model: dict[str, Any]) -> None:
    del model["comparisons"][0]["levels"][2]


def _fields(model: dict[str, Any]) -> None:
    model["comparisons"].reverse()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.update(upper="high"), "matching.upper: must be a number"),
        (lambda m: m.update(colour=1), "matching.colour: is not a field of a model"),
        (lambda m: m.pop("prior"), "matching.prior: is required"),
        (lambda m: m.update(format=7), "matching: format must be 1"),
        (lambda m: m.update(upper=m["lower"] - 1), "matching: upper must not be below lower"),
        (lambda m: m["prior"].update(match=0.0), "matching.prior.match: "),
        (lambda m: m["comparisons"][1]["levels"][0].update(m=float("nan")), r"levels.0.m: "),
        (lambda m: m["blocking"]["keys"].append("moon"), "matching: blocking.keys must be among"),
        (lambda m: m["blocking"]["crowded"].append("xyz"), r"matching.blocking.crowded.\d+: "),
        (
            lambda m: m["personal"].append("moon"),
            "matching: personal: moon is not a field of comparisons",
        ),
        (_levels, "matching: comparisons of family must have the levels"),
        (_fields, "matching: comparisons must begin with family"),
    ],
)
def test_a_wrong_model_is_refused(
    model: MatchModel, change: Callable[[dict[str, Any]], Any], reason: str
) -> None:
    wrong = json.loads(model.to_json())
    change(wrong)

    with pytest.raises(ValueError, match=reason):
        MatchModel.of(wrong)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="matching: "):
        MatchModel.from_json("{")
