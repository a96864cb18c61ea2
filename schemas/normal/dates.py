"""Which day was somebody born, in whichever calendar and order it was written?"""

import re
from datetime import date

from schemas.normal.text import folded

ERAS = {
    "明治": (1868, date(1868, 1, 25), date(1912, 7, 29)),
    "大正": (1912, date(1912, 7, 30), date(1926, 12, 24)),
    "昭和": (1926, date(1926, 12, 25), date(1989, 1, 7)),
    "平成": (1989, date(1989, 1, 8), date(2019, 4, 30)),
    "令和": (2019, date(2019, 5, 1), date.max),
}
"""Era: year 1, first day, last day. The day an era ended is also the first of the next."""
_LETTERS = dict(zip("mtshr", ERAS)) | dict(zip("明大昭平令", ERAS))
_ERA = re.compile(
    r"(明治|大正|昭和|平成|令和|[mtshr明大昭平令])\.?\s*(元|[0-9]{1,2})"
    r"(?:\s*年\s*|[-/.\s]+)([0-9]{1,2})(?:\s*月\s*|[-/.\s]+)([0-9]{1,2})\s*日?"
)
_ERA_DIGITS = re.compile(
    r"(明治|大正|昭和|平成|令和|[mtshr明大昭平令])([0-9]{2})([0-9]{2})([0-9]{2})"
)
_YEAR_FIRST = re.compile(
    r"([0-9]{4})(?:\s*年\s*|[-/.\s]+)([0-9]{1,2})(?:\s*月\s*|[-/.\s]+)([0-9]{1,2})\s*日?"
)
_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})[-/.\s]+([0-9]{1,2})[-/.\s]+([0-9]{4})")
_FIRST_YEAR = 1850


def birth_date(text: str) -> date | None:
    """The day; None when it is none, or none a living person can have been born on.

    Eras (令和2年4月1日, R2.4.1, 昭和元年), ISO, 1990/4/1, 19900401. With the year last, the day
    comes before the month unless only the other order is a date (4/25/1990).
    """
    form = folded(text)
    if found := _ERA.fullmatch(form) or _ERA_DIGITS.fullmatch(form):
        return _of_era(*found.groups())
    if found := _YEAR_FIRST.fullmatch(form) or _DIGITS.fullmatch(form):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    if found := _YEAR_LAST.fullmatch(form):
        day, month, year = (int(part) for part in found.groups())
        return _day(year, month, day) or _day(year, day, month)
    return None


def _of_era(era: str, year: str, month: str, day: str) -> date | None:
    name = _LETTERS.get(era, era)
    first_year, _, _ = ERAS[name]
    number = 1 if year == "元" else int(year)
    return _day(first_year + number - 1, int(month), int(day)) if number else None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if year >= _FIRST_YEAR else None
    except ValueError:
        return None
