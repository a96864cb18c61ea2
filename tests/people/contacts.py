"""Which numbers and addresses do people have, that nobody else has at the same time?"""

from __future__ import annotations

from collections import Counter

from tests.people.dice import Dice
from tests.people.drawing import Draw
from tests.people.kana import romaji
from tests.people.names import Name

_MOBILE = ("090", "080", "070")
_NUMBERS, _STEP = 3 * 9_000 * 10_000, 104_729_221  # the step shares no factor with the numbers
_SHARES = {
    "gmail.com": 38, "yahoo.co.jp": 22, "docomo.ne.jp": 10, "icloud.com": 8, "ezweb.ne.jp": 5,
    "au.com": 3, "softbank.ne.jp": 4, "i.softbank.jp": 2, "outlook.jp": 2, "hotmail.co.jp": 2,
    "nifty.com": 1.5, "ocn.ne.jp": 1.5, "biglobe.ne.jp": 1, "ymail.ne.jp": 1,
}  # fmt: skip
_PROVIDERS = Draw(list(_SHARES), _SHARES.values())
_WORDS = (
    "sakura", "momo", "sora", "hana", "neko", "pochi", "kuma", "usagi", "yuki", "umi", "hoshi",
    "tsuki", "mikan", "ringo", "ichigo", "panda", "happy", "smile", "lucky", "love", "blue",
    "green", "music", "guitar", "soccer", "baseball", "tennis", "surf", "camp", "coffee", "choco",
    "latte", "rose", "lily", "angel", "dragon", "tiger",
)  # fmt: skip


class Contacts:
    """Hands out what has not been handed out yet."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._mobiles = dice.below(_NUMBERS)
        self._landlines: Counter[str] = Counter()
        self._mails: set[str] = set()

    def mobile(self) -> str:
        self._mobiles += 1
        number = self._mobiles * _STEP % _NUMBERS
        prefix, rest = divmod(number, 90_000_000)
        return f"{_MOBILE[prefix]}{10_000_000 + rest}"

    def landline(self, area_code: str) -> str:
        """Ten digits; the one after the area code is from 2 to 9."""
        free = 8 * 10 ** (9 - len(area_code))
        self._landlines[area_code] += 1
        number = self._landlines[area_code] * 7_368_787 % free
        return f"{area_code}{free // 4 + number}"

    def mail(self, family: Name, given: Name, year: int) -> str:
        dice = self._dice
        at, number = dice.random(), dice.random()
        surname, forename = romaji(family.kana), romaji(given.kana)
        if at < 0.30:
            local = f"{forename}.{surname}"
        elif at < 0.50:
            local = f"{surname}{forename[0]}{year % 100:02d}"
        elif at < 0.70:
            local = f"{forename}-{dice.pick(_WORDS)}"
        elif at < 0.85:
            local = f"{dice.pick(_WORDS)}_{dice.pick(_WORDS)}{int(number * 100)}"
        else:
            local = f"{forename[0]}.{surname}{int(number * 1000)}"
        provider = _PROVIDERS(dice.random())
        address = f"{local}@{provider}"
        while address in self._mails:
            address = f"{local}{dice.below(10_000)}@{provider}"
        self._mails.add(address)
        return address
