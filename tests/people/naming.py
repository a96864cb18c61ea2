"""How is a name typed, and its reading?"""

from __future__ import annotations

from tests.people.dice import Dice
from tests.people.drawing import Draw
from tests.people.forms import OLD, misread
from tests.people.kana import HALF_WIDTH, HIRAGANA, romaji, spelt
from tests.people.living import Person
from tests.people.names import Name, names
from tests.people.sources import Style

_BETWEEN = Draw((" ", "\u3000", ""), (0.50, 0.24, 0.26))
_LARGE = str.maketrans("ァィゥェォャュョッ", "アイウエオヤユヨツ")
_MISTAKEN = dict(
    zip("シツソンクワコユチテヌスアマウラ", "ツシンソワクユコテチスヌマアラウ", strict=True)
)
_VOICED = dict(
    zip("ガギグゲゴザジズゼゾダデドバビブベボ", "カキクケコサシスセソタテトハヒフヘホ", strict=True)
)
_VOICELESS = {plain: voiced for voiced, plain in _VOICED.items()}
_LONG = (
    ("ョウ", "ョー"),
    ("ュウ", "ュー"),
    ("オオ", "オー"),
    ("ユウ", "ユー"),
    ("ヨウ", "ヨー"),
    ("コウ", "コー"),
)


class Naming:
    """Writes a person's name as of a day into the two fields."""

    def __init__(self, dice: Dice) -> None:
        self._dice, self._names = dice, names()

    def written(self, person: Person, day: float, style: Style) -> tuple[str, str]:
        """The name and its reading; the reading is empty where nobody asked for it."""
        dice = self._dice
        family, given = person.family_on(day), person.given
        kanji = self._kanji(person, family, given)
        kana = self._kana(family, given)
        if dice.happens("order_swapped"):
            kanji, kana = kanji[::-1], kana[::-1]
        between = _BETWEEN(dice.random())
        if dice.happens("katakana_name"):
            name = between.join(kana)
            name = name.translate(HALF_WIDTH) if dice.random() < 0.25 else name
        elif dice.happens("hiragana_name"):
            name = between.join(kana).translate(HIRAGANA)
        elif dice.happens("romaji_name"):
            name = self._romaji(*kana)
        else:
            name = between.join(kanji)
        if dice.happens("honorific"):
            name += dice.pick(("様", " 様", "さん"))
        if dice.random() >= style.kana:
            return name, ""
        reading = self._reading(kana, style)
        return (reading, name) if dice.happens("fields_swapped") else (name, reading)

    def _kanji(self, person: Person, family: Name, given: Name) -> tuple[str, str]:
        dice = self._dice
        first, second = family.kanji, given.kanji
        alike = self._names.family_alike.get(family.kana)
        if alike and dice.happens("family_converted"):
            first = _another(dice, alike, first)
        alike = self._names.given_alike[person.sex].get(given.kana)
        if alike and dice.happens("given_converted"):
            second = _another(dice, alike, second)
        if person.old and dice.happens("old_form"):
            first, second = first.translate(OLD[person.old]), second.translate(OLD[person.old])
        if dice.happens("name_misread"):
            first, second = (
                (misread(first) or first, second)
                if dice.random() < 0.5
                else (first, misread(second) or second)
            )
        return first, second

    def _kana(self, family: Name, given: Name) -> tuple[str, str]:
        if (family.otherwise or given.otherwise) and self._dice.happens("reading_guessed"):
            if family.otherwise:
                return family.otherwise[0], given.kana
            return family.kana, given.otherwise[0]
        return family.kana, given.kana

    def _reading(self, kana: tuple[str, str], style: Style) -> str:
        dice = self._dice
        first, second = kana
        if dice.happens("kana_slip"):
            if dice.random() < 0.5:
                first = _slip(dice, first)
            else:
                second = _slip(dice, second)
        reading = first + _BETWEEN(dice.random()) + second
        if dice.happens("kana_large"):
            reading = reading.translate(_LARGE)
        if dice.happens("long_vowel"):
            for vowels, bar in _LONG:
                reading = reading.replace(vowels, bar)
        at = dice.random()
        if at < style.hiragana:
            return reading.translate(HIRAGANA)
        if at < style.hiragana + style.half_width:
            return reading.replace("\u3000", " ").translate(HALF_WIDTH)
        return reading

    def _romaji(self, first: str, second: str) -> str:
        dice = self._dice
        at = dice.random()
        if at < 0.6:
            parts = [romaji(first), romaji(second)]
        elif at < 0.8:
            parts = [spelt(first), spelt(second)]
        else:
            parts = [spelt(each).replace("ou", "oh").replace("uu", "u") for each in (first, second)]
        if dice.random() < 0.4:
            parts.reverse()
        at = dice.random()
        if at < 0.4:
            return " ".join(parts).upper()
        return " ".join(parts) if at < 0.5 else " ".join(parts).title()


def _another(dice: Dice, alike: list[str], kanji: str) -> str:
    return dice.pick([each for each in alike if each != kanji] or alike)


def _slip(dice: Dice, kana: str) -> str:
    at, how = dice.below(len(kana)), dice.random()
    sign = kana[at]
    if how < 0.5:
        other = _MISTAKEN.get(sign) or _VOICED.get(sign) or _VOICELESS.get(sign)
        if other:
            return kana[:at] + other + kana[at + 1 :]
    if how < 0.7 and len(kana) > 2:
        return kana[:at] + kana[at + 1 :]
    if how < 0.8 and at + 1 < len(kana):
        return kana[:at] + kana[at + 1] + sign + kana[at + 2 :]
    return kana[: at + 1] + sign + kana[at + 1 :]
