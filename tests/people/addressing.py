"""How is an address typed, and its postcode?"""

from __future__ import annotations

from tests.people.dice import Dice
from tests.people.drawing import Draw
from tests.people.forms import misread
from tests.people.kana import HALF_WIDTH
from tests.people.places import Address

_FULL_DIGITS = {ord(digit): chr(ord(digit) + 0xFEE0) for digit in "0123456789"}
_FULL = _FULL_DIGITS | {ord("-"): "－"}
_KANJI = "〇一二三四五六七八九"
HYPHENS, FULL_WIDTH, BLOCK_THEN, WORDS, FULL_WORDS, KANJI_BLOCK, LONG_BARS = range(7)
_NUMBERS = Draw(range(7), (0.42, 0.22, 0.12, 0.10, 0.05, 0.05, 0.04))
_POSTCODES = Draw(("hyphen", "bare", "marked", "full"), (0.55, 0.28, 0.10, 0.07))
_ROOMS = Draw((" {}号室", "{}号室", " {}", "-{}", "{}", " {}号"), (0.2, 0.2, 0.35, 0.1, 0.1, 0.05))


class Addressing:
    """Writes where somebody lives."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def postcode(self, address: Address) -> str:
        dice, digits = self._dice, address.town.postcode
        if dice.happens("postcode_slip"):
            at = 2 + dice.below(5)
            digits = (
                digits[:at] + str((int(digits[at]) + 1 + dice.below(9)) % 10) + digits[at + 1 :]
            )
        form = _POSTCODES(dice.random())
        if form == "bare":
            return digits
        text = f"{digits[:3]}-{digits[3:]}"
        if form == "hyphen":
            return text
        return f"〒{text}" if form == "marked" else text.translate(_FULL)

    def written(self, address: Address) -> str:
        dice, town = self._dice, address.town
        name, numbers = self._town(address), self._numbers(address)
        if dice.happens("address_slip"):
            name, numbers = self._slip(name, numbers)
        between = " " if dice.random() < 0.08 else ""
        parts = [town.city, name + numbers]
        if not dice.happens("no_prefecture"):
            parts.insert(0, town.prefecture)
        text = between.join(parts)
        if address.building and not dice.happens("no_building"):
            building = address.building
            if dice.random() < 0.08:
                building = building.translate(HALF_WIDTH)
            at = dice.random()
            text += ("　" if at < 0.35 else " " if at < 0.8 else "") + building
            text += _ROOMS(dice.random()).format(address.room)
        return text

    def _town(self, address: Address) -> str:
        name, at = address.town.town, self._dice.random()
        if "ケ" in name or "ヶ" in name:
            name = name.replace("ケ", "ヶ").replace(
                "ヶ", "ヶ" if at < 0.5 else "ケ" if at < 0.8 else "が"
            )
        elif not address.block and at < 0.06 and not name.startswith("大字"):
            name = "大字" + name
        return name

    def _numbers(self, address: Address) -> str:
        block, lot, house = address.block, address.lot, address.house
        form = _NUMBERS(self._dice.random())
        plain = "-".join(str(each) for each in (block, lot, house) if each)
        if form == HYPHENS:
            return plain
        if form == FULL_WIDTH:
            return plain.translate(_FULL)
        if form == LONG_BARS:
            return plain.replace("-", "ー").translate(_FULL)
        if form == KANJI_BLOCK and block:
            return f"{_KANJI[block]}丁目{lot}番{house}号"
        if form == BLOCK_THEN and block:
            return f"{block}丁目{lot}-{house}"
        text = (
            f"{block}丁目{lot}番{house}号"
            if block
            else f"{lot}番地" + (f"{house}" if house else "")
        )
        return text.translate(_FULL_DIGITS) if form == FULL_WORDS else text

    def _slip(self, name: str, numbers: str) -> tuple[str, str]:
        dice = self._dice
        at = dice.random()
        if at < 0.4:
            return misread(name) or name[:-1], numbers
        if at < 0.7 and len(name) > 2:
            cut = dice.below(len(name))
            return name[:cut] + name[cut + 1 :], numbers
        swapped = [at for at in range(len(numbers) - 1) if numbers[at : at + 2].isdecimal()]
        if not swapped:
            return name, numbers + "1"
        cut = dice.pick(swapped)
        return name, numbers[:cut] + numbers[cut + 1] + numbers[cut] + numbers[cut + 2 :]
