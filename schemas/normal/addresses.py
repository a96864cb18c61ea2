"""Where does somebody live, down to the block, however the line was written?"""

import re
from typing import NamedTuple

from schemas.normal.kanji import newest
from schemas.normal.text import folded


class Address(NamedTuple):
    """Parts in their normal form; one that the text does not tell is empty."""

    prefecture: str
    """Or the state."""
    city: str
    """市区町村, with its 郡 and 区; or the suburb."""
    town: str
    """町名, without 大字 and 字; or the street."""
    block: str
    """丁目-番地-号 as 1-2-3; or the street number."""
    building: str
    """What comes after the block; or the flat or unit."""


_PREFECTURE = re.compile("(東京都|北海道|京都府|大阪府|[一-鿿]{2,3}?県)")
_CITY = re.compile("([一-鿿ぁ-ゖァ-ヺ]{1,6}?市(?:[一-鿿]{1,3}区)?|[一-鿿ァ-ヺ]{1,5}?[区町村])")
_BLOCK = re.compile("([^0-9]*)([0-9]+(?:(?:丁目|番地の?|番|号|の|-)[0-9]*)*)(.*)")


def address(text: str, postcode: str | None = None) -> Address | None:
    """The parts of one line; `postcode` fills what it leaves out; None when no letter is left."""
    form = newest(folded(text))
    if not any(letter.isalnum() for letter in form):
        return None
    prefecture = city = ""
    if found := _PREFECTURE.match(form):
        prefecture, form = found[1], form[found.end() :]
    if found := _CITY.match(form):
        city, form = found[1], form[found.end() :]
    found = _BLOCK.match(form)
    if not found:
        return Address(prefecture, city, form.strip(), "", "")
    block = "-".join(re.findall("[0-9]+", found[2]))
    return Address(prefecture, city, found[1].strip(), block, found[3].strip())
