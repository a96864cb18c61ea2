"""What is in the Japanese set?

The people of `tests.people`, as records; and for a batch tool the fields in columns, brought into
one form as its user would before a run: widths and spaces, readings in katakana, dates in ISO 8601,
digits of phones, small letters of e-mail addresses.
"""

from __future__ import annotations

import re
import unicodedata
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
        [_record(profile) for profile in known],
        {
            frozenset((one, other))
            for ids in by_person.values()
            for nth, one in enumerate(ids)
            for other in ids[:nth]
        },
        [columns(profile) for profile in known],
        person={profile.id.hex(): str(profile.person) for profile in known},
        household={profile.id.hex(): str(profile.household) for profile in known},
    )


def _record(profile: Profile) -> Record:
    identifiers = [("phone", phone) for phone in profile.phones]
    identifiers += [("email", mail) for mail in profile.mails]
    return Record(
        profile.id.hex(), profile.source, profile.name, profile.name_kana, profile.postcode,
        profile.address, profile.birth_date, tuple(identifiers),
    )  # fmt: skip


def columns(profile: Profile) -> Columns:
    """One row, cleaned."""
    phones = [_digits(phone) for phone in profile.phones]
    return {
        "rec_id": profile.id.hex(),
        "name": _bare(profile.name) or None,
        "kana": jaconv.hira2kata(_bare(profile.name_kana)) or None,
        "postcode": _digits(profile.postcode) or None,
        "address": _bare(profile.address) or None,
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


def _bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def _digits(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text)
    national = f"0{plain[3:]}" if plain.startswith("+81") else plain
    return _NO_DIGIT.sub("", national)
