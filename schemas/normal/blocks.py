"""Parses the end of a Japanese address line: block numbers (丁目, 番, 号) and the building."""

import re
from typing import NamedTuple

from schemas.normal.numbers import KANJI, number

_NUMBER = f"[0-9]+|[{KANJI}]+"
_COUNTER = "(?:丁目|丁(?!目)|番地|番(?!町)|地割|街区)[のノ-]?|号(?![室棟館])|[のノ-]"
_STEP = re.compile(rf"\s*第?({_NUMBER})\s*({_COUNTER})?\s*")
_ROOM = re.compile("階|f(?![a-z])|号[室棟館]|棟|室|ldk")
_FIRST = re.compile(
    rf"第?(?:[0-9]+(?![0-9線条])|[{KANJI}]+\s*(?:丁目|丁|番地|番(?!町)|号|地割|街区|-))"
)
_LINK = re.compile("[のノ-]")
_NONE = re.compile("^(?:官有)?(?:無番地|番外地|番地なし|番地無し|地先)")
_FLAT = re.compile("(?<=[0-9])(?:号室|号|室)$")
_STOREY = re.compile("(?<=[0-9])階")
_EDGES = " -,、。.・/"
_PARTS = 3


class Block(NamedTuple):
    """Block numbers joined by hyphens, and the building that follows them."""

    block: str
    building: str


def first_number(text: str) -> int:
    """Index of the first character of the block number; -1 if there is no block number."""
    found = _FIRST.search(text)
    return found.start() if found else -1


def block(text: str) -> Block:
    """Parses block and building: 一丁目二番三号, 1丁目2-3 and 1の2の3 become 1-2-3.

    A fourth number is the flat and belongs to the building.
    """
    parts: list[str] = []
    at = 0
    counter = ""
    while found := _STEP.match(text, at):
        if _ROOM.match(text, found.end(1)):
            break
        numeral, after = found[1], found[2]
        # A kanji numeral may also begin the name of a building: 1-2-3 三田ハイツ.
        if not (numeral.isdecimal() or after or counter) and found.end() < len(text):
            break
        # 1丁目 第3ビル: 3 belongs to the building, not to the block.
        if text[at : found.start(1)].endswith("第") and (after or "")[:2] not in (
            "地割",
            "号",
            "番地",
        ):
            break
        parts.append(str(number(numeral)))
        at, counter = found.end(), after
        if after == "号":
            link = _LINK.match(text, at)
            at, counter = (link.end(), link[0]) if link else (at, "")
        if not counter:
            break
    building = _building(_NONE.sub("", text[at:].strip(_EDGES)))
    return Block("-".join(parts[:_PARTS]), building + "-".join(parts[_PARTS:]))


def _building(text: str) -> str:
    """The building in normal form: メゾン 101号室 becomes メゾン101, 8階 becomes 8f."""
    form = "".join(text.strip(_EDGES).split())
    return _STOREY.sub("f", _FLAT.sub("", form))
