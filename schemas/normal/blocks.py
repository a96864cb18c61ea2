"""Which block does the end of a Japanese address name, whatever counts it?"""

import re
from typing import NamedTuple

from schemas.normal.places import KANJI_NUMBER, number

_NUMBER = f"[0-9]+|[{KANJI_NUMBER}]+"
_COUNTER = "丁目|丁(?!目)|番地|番(?!町)|地割|街区|号(?![室棟館])|[-のノ]"
_STEP = re.compile(rf"\s*(?:第(?=[^\s]{{1,4}}地割))?({_NUMBER})\s*({_COUNTER})?\s*")
_LOT = re.compile(r"(?:甲|乙|丙|丁|イ|ロ|ハ|ニ|ホ)(?=\s*[0-9])")
"""Lots of some towns begin with a letter: 泉野町イ12番地."""
_ROOM = re.compile("階|f(?![a-z])|号[室棟館]|棟|室|ldk")
_FIRST = re.compile(rf"[0-9]|第?[{KANJI_NUMBER}]+\s*(?:丁目|丁|番地|番(?!町)|号|地割|街区|-)")
_LINKS = re.compile("[-のノ]")
_EDGES = " -,、。.・/"
_PARTS = 3


class Block(NamedTuple):
    """Numbers joined by hyphens, and what comes after them."""

    block: str
    rest: str


def first_number(text: str) -> int:
    """Where the first number of a block stands; -1 when there is none."""
    found = _FIRST.search(text)
    return found.start() if found else -1


def block(text: str) -> Block:
    """一丁目二番三号, 1丁目2-3 and 1の2の3 are 1-2-3. A fourth number is a flat's."""
    parts: list[str] = []
    at = 0
    letter = _LOT.match(text)
    if letter:
        at = letter.end()
    while found := _STEP.match(text, at):
        if _ROOM.match(text, found.end(1)):
            break
        # A kanji that may be a number begins a name as well.
        if not (found[2] or found[1].isdecimal() or parts) and found.end() < len(text):
            break
        parts.append(str(number(found[1])))
        at = found.end()
        if not found[2]:
            break
        if found[2] == "号":
            link = _LINKS.match(text, at)
            if not link:
                break
            at = link.end()
    rest = text[at:].strip(_EDGES) if parts else text.strip(_EDGES)
    name = "-".join(parts[:_PARTS])
    if letter and parts:
        name = letter[0] + name
    return Block(name, " ".join(part for part in ("-".join(parts[_PARTS:]), rest) if part))
