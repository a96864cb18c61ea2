"""Phones, e-mail, postcodes and birth dates: one value however written, None for anything else."""

import re
from datetime import date

import phonenumbers
import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st

from schemas.normal import birth_date, email, phone, postcode
from tests.schemas.normal.test_text import ASCII, WIDE

BORN = [
    ("1990-04-01", "1990-04-01"),
    ("１９９０／４／１", "1990-04-01"),
    ("1990年4月1日", "1990-04-01"),
    ("1990.4.1", "1990-04-01"),
    ("19900401", "1990-04-01"),
    ("1990-04-01T00:00:00Z", "1990-04-01"),
    ("平成2年4月1日生まれ", "1990-04-01"),
    ("平成二年四月一日", "1990-04-01"),
    ("H2.4.1", "1990-04-01"),
    ("h02/04/01", "1990-04-01"),
    ("H020401", "1990-04-01"),
    ("㍻2年4月1日", "1990-04-01"),
    ("令和元年5月1日", "2019-05-01"),
    ("昭和64年1月7日", "1989-01-07"),
    ("昭和五十五年十二月三十一日", "1980-12-31"),
    ("大正15年12月24日", "1926-12-24"),
    ("明治45年7月29日", "1912-07-29"),
    ("25/4/1990", "1990-04-25"),
    ("4/25/1990", "1990-04-25"),
    ("1 Apr 1990", "1990-04-01"),
    ("April 1st, 1990", "1990-04-01"),
]
NOT_BORN = [
    "", "　", "平成2年2月30日", "昭和65年1月1日", "1990", "1990-13-01", "0990-01-01", "明日",
    "90/4/1", "1990-04", "令和0年1月1日", "\0", "1 Foo 1990",
]  # fmt: skip


@pytest.mark.parametrize(("written", "day"), BORN)
def test_a_birth_date_is_one_day_in_every_calendar(written: str, day: str) -> None:
    assert birth_date(written) == date.fromisoformat(day)


@pytest.mark.parametrize("written", NOT_BORN)
def test_what_is_no_day_is_none(written: str) -> None:
    assert birth_date(written) is None


@given(st.dates(min_value=date(1926, 12, 25)))
def test_eras_and_western_years_are_the_same_days(day: date) -> None:
    era, first = ("昭和", 1926) if day < date(1989, 1, 8) else ("平成", 1989)
    if day >= date(2019, 5, 1):
        era, first = "令和", 2019
    if day.year - first < 99:
        in_era = f"{era}{day.year - first + 1}年{day.month}月{day.day}日"
        assert birth_date(in_era) == birth_date(day.isoformat()) == day


@given(st.text(max_size=40))
def test_any_text_is_a_value_or_none(text: str) -> None:
    birth_date(text)
    for normal in (phone, email, postcode):
        once = normal(text)
        assert once is None or normal(once) == once


@given(ASCII)
def test_width_does_not_matter(text: str) -> None:
    wide = text.translate(WIDE)
    for normal in (birth_date, phone, email, postcode):
        assert normal(wide) == normal(text)
    assert email(text.upper()) == email(text)


@given(st.from_regex(r"0[1-9][0-9]{8,9}", fullmatch=True), st.sampled_from(["", "-", " ", "ー"]))
def test_a_japanese_number_is_what_the_library_says(digits: str, hyphen: str) -> None:
    try:
        number = phonenumbers.parse(digits, "JP")
    except phonenumbers.NumberParseException:
        # 010 dials another country.
        assert phone(digits) is None
        return
    line = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert phone(hyphen.join((digits[:3], digits[3:6], digits[6:]))) in (line, None)
    if re.fullmatch("0[789]0[0-9]{8}|0[2-9][1-9][0-9]{7}|0120[0-9]{6}", digits):
        assert phone(digits) == line


def test_a_number_without_a_country_is_of_the_region() -> None:
    assert phone("0412 345 678", "AU") == "+61412345678"
    assert phone("+81 90 1234 5678", "AU") == phone("090-1234-5678") == "+819012345678"


_WRITTEN = r"[a-z0-9_+.-]{1,70}@[a-z0-9-]{1,12}\.(com|co\.jp|test|local)"


@given(
    st.from_regex(r"[a-z0-9_+.-]{1,70}@[a-z0-9-]{1,12}\.(com|co\.jp|test|local)", fullmatch=True)
)
def test_an_unknown_provider_s_address_is_what_the_library_says(address: str) -> None:
    try:
        wanted = validate_email(address, check_deliverability=False)
    except ValueError:
        assert email(address) is None
    else:
        assert email(address) == f"{wanted.local_part}@{wanted.ascii_domain}".lower()


@pytest.mark.parametrize("domain", ["docomo.ne.jp", "ezweb.ne.jp", "softbank.ne.jp"])
def test_a_carrier_s_address_is_kept_exactly(domain: str) -> None:
    assert email(f"Taro..Y.+x@{domain}") == f"taro..y.+x@{domain}"


def test_gmail_ignores_dots_and_tags() -> None:
    forms = ("T.aro+sale@gmail.com", "taro@googlemail.com", "ＴＡＲＯ＠ｇｍａｉｌ．ｃｏｍ")
    assert {email(form) for form in forms} == {"taro@gmail.com"}


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("〒150-0001", "1500001"),
        ("１５０ー０００１", "1500001"),
        ("sw1a 1aa", "SW1A1AA"),
        ("〒", None),
    ],
)
def test_a_postcode_is_its_digits(written: str, code: str | None) -> None:
    assert postcode(written) == code
