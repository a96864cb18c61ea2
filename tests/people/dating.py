"""How is a birth date typed?"""

from __future__ import annotations

from datetime import date

from tests.people.dice import Dice

ERAS = (
    (date(2019, 5, 1), "R", "令和"),
    (date(1989, 1, 8), "H", "平成"),
    (date(1926, 12, 25), "S", "昭和"),
    (date(1912, 7, 30), "T", "大正"),
)
PLACEHOLDER = "1900-01-01"


class Dating:
    """Writes when somebody was born."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def written(self, born: int) -> str:
        dice, day = self._dice, date.fromordinal(born)
        if dice.happens("birth_placeholder"):
            return PLACEHOLDER
        if day.day <= 12 and dice.happens("day_and_month"):
            day = date(day.year, day.day, day.month)
        if dice.happens("birth_slip"):
            day = self._slip(day)
        era_letter, era_kanji = dice.happens("era_letter"), dice.happens("era_kanji")
        if era_letter or era_kanji:
            first, letter, kanji = next(era for era in ERAS if era[0] <= day)
            year = day.year - first.year + 1
            if era_letter:
                return f"{letter}{year}.{day.month}.{day.day}"
            return f"{kanji}{year if year > 1 else '元'}年{day.month}月{day.day}日"
        at = dice.random()
        if at < 0.45:
            return f"{day.year}-{day.month:02d}-{day.day:02d}"
        if at < 0.65:
            return f"{day.year}/{day.month}/{day.day}"
        if at < 0.85:
            return f"{day.year}{day.month:02d}{day.day:02d}"
        if at < 0.95:
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.year}/{day.month:02d}/{day.day:02d}"

    def _slip(self, day: date) -> date:
        """One digit of the eight is another, and it is still a date of a living customer."""
        dice, text = self._dice, f"{day.year}{day.month:02d}{day.day:02d}"
        while True:
            at, digit = 2 + dice.below(6), str(dice.below(10))
            slipped = text[:at] + digit + text[at + 1 :]
            try:
                found = date(int(slipped[:4]), int(slipped[4:6]), int(slipped[6:]))
            except ValueError:
                continue
            if found != day and 1920 <= found.year <= 2025:
                return found
