"""Parses a date of birth in any common calendar and order."""

import re
from datetime import date

from schemas.normal.numbers import in_digits
from schemas.normal.text import folded

_ERAS = {
    "明治": (1868, 45, "m", "明"),
    "大正": (1912, 15, "t", "大"),
    "昭和": (1926, 64, "s", "昭"),
    "平成": (1989, 31, "h", "平"),
    "令和": (2019, 99, "r", "令"),
}
"""By era: the Gregorian year of its year 1, its last year, its short forms."""
_YEARS = {
    form: (first, last)
    for era, (first, last, *short) in _ERAS.items()
    for form in (era, *short)
}  # fmt: skip
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ERA = re.compile(
    f"({'|'.join(_YEARS)})"
    r"\.?\s*(元|[0-9]{1,2})\s*[年/.\s-]\s*([0-9]{1,2})\s*[月/.\s-]\s*([0-9]{1,2})\s*日?"
)
_ERA_DIGITS = re.compile(f"({'|'.join(_YEARS)})([0-9]{{2}})([0-9]{{2}})([0-9]{{2}})")
_YEAR_FIRST = re.compile(r"([0-9]{4})\s*[年/.\s-]\s*([0-9]{1,2})\s*[月/.\s-]\s*([0-9]{1,2})\s*日?")
_DIGITS = re.compile("([0-9]{4})([0-9]{2})([0-9]{2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})\s*[/.\s-]\s*([0-9]{1,2})\s*[/.\s-]\s*([0-9]{4})")
_DAY_IN_ENGLISH = re.compile(
    r"([0-9]{1,2})(?:st|nd|rd|th)?[\s-]+([a-z]{3})[a-z]*\.?[,\s-]+([0-9]{4})"
)
_MONTH_IN_ENGLISH = re.compile(r"([a-z]{3})[a-z]*\.?\s+([0-9]{1,2})(?:st|nd|rd|th)?,?\s+([0-9]{4})")
_TIME = re.compile(r"[t\s][0-9]{2}:[0-9]{2}.*$|生(?:まれ)?$")
_FIRST_YEAR = 1850


def birth_date(text: str) -> date | None:
    """Parses a date of birth; None if the text is not a date, or a date before 1850.

    Accepted: eras (令和2年4月1日, R2.4.1, 昭和五十五年四月一日), ISO, 1990/4/1, 19900401, 1 Apr
    1990. If the year comes last, the day comes before the month (1/4/1990 is 1 April), unless only
    the other order is a valid date.
    """
    form = _TIME.sub("", in_digits(folded(text)))
    if found := _YEAR_FIRST.fullmatch(form) or _DIGITS.fullmatch(form):
        return _day(int(found[1]), int(found[2]), int(found[3]))
    if found := _ERA.fullmatch(form) or _ERA_DIGITS.fullmatch(form):
        return _of_era(found[1], found[2], int(found[3]), int(found[4]))
    if found := _YEAR_LAST.fullmatch(form):
        day, month, year = int(found[1]), int(found[2]), int(found[3])
        return _day(year, month, day) or _day(year, day, month)
    if found := _DAY_IN_ENGLISH.fullmatch(form):
        return _day(int(found[3]), _month(found[2]), int(found[1]))
    if found := _MONTH_IN_ENGLISH.fullmatch(form):
        return _day(int(found[3]), _month(found[1]), int(found[2]))
    return None


def _of_era(era: str, year: str, month: int, day: int) -> date | None:
    first, last = _YEARS[era]
    count = 1 if year == "元" else int(year)
    return _day(first + count - 1, month, day) if 1 <= count <= last else None


def _month(name: str) -> int:
    """Month number (1 to 12) of the first three letters of an English month; else 0."""
    return _MONTHS.index(name) + 1 if name in _MONTHS else 0


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if year >= _FIRST_YEAR else None
    except ValueError:
        return None
