"""The normal form (E.164) of a telephone number: two spellings of the same number become equal."""

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

from schemas.normal.text import HYPHENS, composed

REGION = "JP"
_JAPAN = 81
_JAPANESE = re.compile(r"[25-9]0[0-9]{8}|[1-9](?!0)[0-9]{8}|[134]0[0-9]{7}")
"""Mobile, IP and 0800 lines have ten digits after the 0, all others nine."""
_SPACING = re.compile("[- ]")
_USUAL = re.compile("0([2-9]0[0-9]{8}|[2-9][1-9][0-9]{7}|120[0-9]{6})", re.ASCII)
"""Common Japanese numbers with their trunk 0, which need no parsing by the library."""
_EXTENSION = re.compile(r"(?:;ext=|ext\.?|extension|内線|x|#)\s*([0-9]{1,7})$", re.IGNORECASE)
_ALLOWED = re.compile(r"\+?[0-9 ()./-]+")
_WRONG = "is not a telephone number"


def phone(text: str, region: str = REGION) -> str | None:
    """The number in E.164, such as +819012345678; None if the text is not a telephone number.

    `region`: the country of a number without country code. An extension is kept as `;ext=12` (RFC
    3966), because it is another telephone.
    """
    try:
        return line(text, region)
    except ValueError:
        return None


def line(text: str, region: str = REGION) -> str:
    """As `phone`, but raises ValueError with a reason, which never quotes the number."""
    if region == REGION and (bare := _USUAL.fullmatch(_SPACING.sub("", text))):
        return f"+{_JAPAN}{bare[1]}"
    written = " ".join(composed(text).split())
    found = _EXTENSION.search(written)
    extension = found[1] if found else ""
    trunk = HYPHENS.sub("-", written[: found.start()] if found else written).strip()
    if not _ALLOWED.fullmatch(trunk):
        raise ValueError(f"{_WRONG}: may contain only digits, +, hyphens and brackets")
    number = _parsed(_with_country(trunk), region)
    form = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return f"{form};ext={extension}" if extension else str(form)


def _with_country(trunk: str) -> str:
    # The international prefix 00 of most countries; the library knows the Japanese prefix 010.
    bare = trunk.lstrip("( ")
    return "+" + bare[2:].lstrip(" -.") if bare.startswith("00") else trunk


def _parsed(text: str, region: str) -> PhoneNumber:
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        raise ValueError(_WRONG) from None
    # Not is_valid_number: it refuses number ranges assigned after the library's release.
    if not phonenumbers.is_possible_number(number):
        raise ValueError(f"{_WRONG}: too short or too long for its country")
    if number.country_code == _JAPAN and not _JAPANESE.fullmatch(str(number.national_number)):
        raise ValueError(f"{_WRONG}: too short or too long for a Japanese number")
    return number
