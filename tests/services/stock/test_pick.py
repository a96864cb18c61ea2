"""Does the location come first that should, among those that have everything?"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from services.stock.availability import AvailableUnits
from services.stock.location_choice import GeoPoint, PickBody, kilometres, picked

AT = 1_000
PLACES = {"TOKYO": (35.681236, 139.767125), "OSAKA": (34.702485, 135.495951), "nowhere": None}
ON_HAND = {("a", "TOKYO"): 1, ("a", "OSAKA"): 5, ("a", "nowhere"): 9, ("b", "TOKYO"): 4}


def asked(**body: Any) -> list[str]:
    cells = [
        {"sku": sku, "location_id": where, "on_hand": units, "committed": 0, "unavailable": 0}
        for (sku, where), units in ON_HAND.items()
    ]
    locations = [
        {
            "location_id": name, "valid_from": 0, "name": name,
            "kind": "WAREHOUSE" if name == "OSAKA" else "STORE",
            "latitude_e6": round(at[0] * 1e6) if at else None,
            "longitude_e6": round(at[1] * 1e6) if at else None,
        }
        for name, at in PLACES.items()
    ]  # fmt: skip
    wanted = PickBody.model_validate({"channel": "STORE", **body})
    return [
        one["location_id"]
        for one in picked(wanted, AvailableUnits(cells, [], {}, AT), locations, AT)
    ]


A, B = {"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2}
NAGOYA = {"latitude": 35.170915, "longitude": 136.881537}


def test_the_nearest_that_has_them_comes_first_and_who_has_no_place_last() -> None:
    assert asked(lines=[A], near=NAGOYA) == ["OSAKA", "TOKYO", "nowhere"]
    assert (
        asked(lines=[A], near=dict(zip(("latitude", "longitude"), PLACES["TOKYO"] or ())))[0]
        == "TOKYO"
    )
    assert asked(lines=[A, B], near=NAGOYA) == ["TOKYO"]
    assert asked(lines=[{**A, "quantity": 6}], near=NAGOYA) == ["nowhere"]
    assert asked(lines=[{**A, "quantity": 10}]) == []


def test_the_best_stocked_and_only_of_the_kinds_asked_for() -> None:
    assert asked(lines=[A], rule="most_stock") == ["nowhere", "OSAKA", "TOKYO"]
    assert asked(lines=[A], rule="most_stock", limit=1) == ["nowhere"]
    assert asked(lines=[A], kinds=["WAREHOUSE"]) == ["OSAKA"]


def test_distances_are_those_of_the_globe() -> None:
    tokyo, osaka = (GeoPoint(latitude=at[0], longitude=at[1]) for at in PLACES.values() if at)
    assert kilometres(tokyo, osaka) == pytest.approx(403, abs=3)
    poles = GeoPoint(latitude=90, longitude=0), GeoPoint(latitude=-90, longitude=55)
    assert kilometres(*poles) == pytest.approx(20_015, abs=2)


@pytest.mark.parametrize("lines", [[], [A, A], [{**A, "quantity": 0}]])
def test_what_nobody_can_want_is_refused(lines: list[Any]) -> None:
    with pytest.raises(ValidationError):
        asked(lines=lines)
