"""What is in the Japanese set?

The people of `tests.people`, as records; and for a batch tool the fields in columns, brought into
one form as its user would before a run: family and given name apart, one width, readings in
katakana, dates in ISO 8601, digits of phones, small letters of e-mail addresses.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date

import jaconv

from tests.benchmarks.linkage.records import Columns, DataSet, Record
from tests.people import Profile, profiles

PEOPLE, PROFILES, SEED = 12_000, 20_000, 1
_ERAS = {
    "T": 1911,
    "大正": 1911,
    "S": 1925,
    "昭和": 1925,
    "H": 1988,
    "平成": 1988,
    "R": 2018,
    "令和": 2018,
}
_ERA_DATE = re.compile(r"(\D+)(\d+|元)\D(\d+)\D(\d+)")
_DATE = re.compile(r"(\d{4})\D?(\d{1,2})\D?(\d{1,2})\D?")
_NO_DIGIT = re.compile(r"\D")


def load(people: int = PEOPLE, count: int = PROFILES, seed: int = SEED) -> DataSet:
    """In the order of their registration."""
    known = list(profiles(people, count, seed))
    by_person: dict[int, list[str]] = {}
    for profile in known:
        by_person.setdefault(profile.person, []).append(profile.id.hex())
    return DataSet(
        "japanese",
        [record_of(profile) for profile in known],
        {
            frozenset((one, other))
            for ids in by_person.values()
            for nth, one in enumerate(ids)
            for other in ids[:nth]
        },
        columns(known),
        person={profile.id.hex(): str(profile.person) for profile in known},
        household={profile.id.hex(): str(profile.household) for profile in known},
    )


def record_of(profile: Profile) -> Record:
    """As its source system sent it."""
    identifiers = [("phone", phone) for phone in profile.phones]
    identifiers += [("email", mail) for mail in profile.mails]
    return Record(
        profile.id.hex(), profile.source, profile.name, profile.name_kana, profile.postcode,
        profile.address, profile.birth_date, tuple(identifiers),
    )  # fmt: skip


def columns(known: list[Profile]) -> list[Columns]:
    """A row each, cleaned; a name without a space is parted after the longest family name that
    stands before a space in another profile."""
    kanji, kana = Parting(each.name for each in known), Parting(_reading(each) for each in known)
    return [_row(each, kanji.parts(each.name), kana.parts(_reading(each))) for each in known]


class Parting:
    """Where does the given name begin?"""

    def __init__(self, texts: Iterable[str]) -> None:
        parted = (_plain(text).split() for text in texts)
        self._families = {parts[0] for parts in parted if len(parts) == 2}
        self._longest = max(map(len, self._families), default=1)

    def parts(self, text: str) -> tuple[str | None, str | None]:
        """Family and given name; None for what there is not."""
        first, *others = _plain(text).split() or [""]
        if others:
            return first, "".join(others)
        for length in range(min(self._longest, len(first) - 1), 0, -1):
            if first[:length] in self._families:
                return first[:length], first[length:]
        return first or None, None


def _row(
    profile: Profile, name: tuple[str | None, str | None], kana: tuple[str | None, str | None]
) -> Columns:
    phones = [_digits(phone) for phone in profile.phones]
    return {
        "rec_id": profile.id.hex(),
        "family": name[0],
        "given": name[1],
        "whole": "".join(filter(None, name)) or None,
        "family_kana": kana[0],
        "given_kana": kana[1],
        "whole_kana": "".join(filter(None, kana)) or None,
        "postcode": _digits(profile.postcode) or None,
        "birth_date": iso(profile.birth_date),
        "mobile": next((phone for phone in phones if len(phone) == 11), None),
        "landline": next((phone for phone in phones if len(phone) == 10), None),
        "mail": profile.mails[0].lower() if profile.mails else None,
    }


def iso(text: str) -> str | None:
    """A date as it may be typed, in ISO 8601; None if it is none."""
    era = _ERA_DATE.match(text)
    if era and era[1] in _ERAS:
        year = _ERAS[era[1]] + (1 if era[2] == "元" else int(era[2]))
        return date(year, int(era[3]), int(era[4])).isoformat()
    western = _DATE.fullmatch(text)
    return date(*map(int, western.groups())).isoformat() if western else None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _reading(profile: Profile) -> str:
    return jaconv.hira2kata(_plain(profile.name_kana))


def _digits(text: str) -> str:
    plain = _plain(text)
    national = f"0{plain[3:]}" if plain.startswith("+81") else plain
    return _NO_DIGIT.sub("", national)
