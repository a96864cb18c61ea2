"""Parses an address line into prefecture, city, town, block and building in normal form."""

import re
from typing import NamedTuple

from schemas.normal import western_address
from schemas.normal.blocks import block, first_number
from schemas.normal.gazetteer import Area, Gazetteer, gazetteer
from schemas.normal.numbers import in_kanji
from schemas.normal.places import place
from schemas.normal.postcodes import postcode as code_of
from schemas.normal.text import folded


class Address(NamedTuple):
    """The parts of an address in normal form; a part that is not known is empty."""

    prefecture: str
    """都道府県; in a Western address the state."""
    city: str
    """市区町村, with its 郡 and 区; in a Western address the suburb."""
    town: str
    """町名, without 大字 and 字; in a Western address the street."""
    block: str
    """丁目-番地-号 as 1-2-3, after a part of the town (字) if there is one; in a Western address
    the street number.
    """
    building: str
    """The text after the block; in a Western address the flat or unit, and the property's name."""


_JAPANESE = re.compile("[ぁ-ゖァ-ヺ一-鿿]")
_CODE = re.compile(r"^〒?\s*([0-9]{3}-?[0-9]{4})(?![0-9-])\s*|^〒\s*")
_STREET = re.compile(".*(?:上ル|上る|上がる|下ル|下る|下がる|東入|西入|入)[るルり]?\\s*")
"""In Kyoto, directions along streets come before the town: 寺町通御池上る上本能寺前町."""
_LARGE = re.compile(r"^\s*[大小]?字\s*")
_SMALL = re.compile(r"(?<=.)\s*(?:[大小]字|字(?!町))\s*")
_CITY = re.compile(r"\s*([^0-9\s]{1,6}?市(?:[^0-9\s]{1,4}?区)?|[^0-9\s]{1,5}?[区町村])\s*")
_GAP = re.compile("(?<=[都道府県市区郡町村]) (?=[^0-9 ])")
_EDGES = " 、,-"
_TOWN_LENGTH = 24
_CODE_LENGTH = 7


class _Head(NamedTuple):
    """The parts of an address line that were matched against the gazetteer, and the rest."""

    prefecture: str
    city: str
    town: str
    rest: str


def address(text: str, postcode: str | None = None) -> Address | None:
    """Parses an address line; None if it has neither letter nor digit.

    Prefecture, city and town that the line lacks are taken from `postcode`, or the postcode in the
    line.
    """
    form = folded(text)
    if not any(letter.isalnum() for letter in form):
        return None
    written = _CODE.match(form)
    code = code_of(postcode or (written[1] if written else None) or "")
    japanese = _JAPANESE.search(form)
    areas = gazetteer().areas(code) if code and (japanese or len(code) == _CODE_LENGTH) else []
    if not (japanese or areas):
        return Address(*western_address.parts(form))
    form = _GAP.sub("", place(form[written.end() :] if written else form))
    found = _with_block(_head(gazetteer(), form, areas))
    return found if any(found) else None


def _with_block(head: _Head) -> Address:
    town, rest = head.town, _LARGE.sub("", head.rest)
    at = first_number(rest)
    part = ""
    if at > 0:
        # A part of a town that the gazetteer lacks (小字, イ), or an unknown town.
        part = _SMALL.sub("", rest[:at]).strip(_EDGES).replace(" ", "")
        rest = rest[at:]
    elif at < 0 and not town:
        return Address(head.prefecture, head.city, _SMALL.sub("", rest).strip(_EDGES), "", "")
    numbers, building = block(rest)
    if not town:
        town, part = in_kanji(part), ""
    return Address(head.prefecture, head.city, town, in_kanji(part) + numbers, building)


def _head(places: Gazetteer, form: str, areas: list[Area]) -> _Head:
    prefecture, after = _prefecture(places, form)
    cities, rest = _cities(places, after, prefecture)
    if not cities:
        cities = tuple(dict.fromkeys(area.city for area in areas))
        if prefecture:
            cities = tuple(c for c in cities if places.cities[c].prefecture == prefecture)
        if not cities:
            return _unknown(prefecture, after)
        rest = after
    best = max(
        ((*_town(places, city, rest), city) for city in cities),
        key=lambda found: (found[1], Area(found[2], found[0]) in areas, _of(areas, found[2])),
    )
    town, length, number = best
    city = places.cities[number]
    if not length:
        rest = _LARGE.sub("", _way_removed(city.name, rest))
        told = [area.town for area in areas if area.city == number and area.town]
        if len(told) == 1 and first_number(rest) == 0:
            town = told[0]
        unsure = len({places.cities[c].prefecture for c in cities}) > 1 and not _of(areas, number)
        return _Head("" if unsure else city.prefecture, city.name, town, rest)
    return _Head(city.prefecture, city.name, town, _way_removed(city.name, rest)[length:])


def _of(areas: list[Area], city: int) -> bool:
    return any(area.city == city for area in areas)


def _prefecture(places: Gazetteer, form: str) -> tuple[str, str]:
    for length in (4, 3, 2):
        found = places.prefectures.get(form[:length])
        if not found:
            continue
        after = form[length:].lstrip(" ")
        # 京都 in 京都市, 大阪 in 大阪市: an abbreviated prefecture only if a city follows.
        if len(found) == length or _cities(places, after, found)[0]:
            return found, after
    return "", form


def _cities(places: Gazetteer, form: str, prefecture: str) -> tuple[tuple[int, ...], str]:
    """The cities whose name is the longest prefix of the text, and the text after that name."""
    for length in range(min(places.longest_name, len(form)), 1, -1):
        found = places.names.get(form[:length], ())
        if prefecture and found:
            found = tuple(c for c in found if places.cities[c].prefecture == prefecture)
        if found:
            return found, form[length:].lstrip(" ")
    return (), form


def _town(places: Gazetteer, number: int, rest: str) -> tuple[str, int]:
    """The longest town name that is a prefix of the text, and its length in the text."""
    city = places.cities[number]
    text = _way_removed(city.name, rest)
    skipped = len(text)
    text = _LARGE.sub("", text)
    skipped -= len(text)
    for length in range(min(_TOWN_LENGTH, len(text)), 0, -1):
        head = text[:length]
        town = head if head in city.towns else city.written.get(head)
        if town:
            return town, skipped + length
    return "", 0


def _way_removed(city: str, rest: str) -> str:
    return _STREET.sub("", rest) if city.startswith("京都市") else rest


def _unknown(prefecture: str, form: str) -> _Head:
    found = _CITY.match(form)
    if not found:
        return _Head(prefecture, "", "", form)
    return _Head(prefecture, found[1], "", form[found.end() :])
