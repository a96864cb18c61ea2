"""Does each rate do what it says, and nothing else?"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable

import jaconv
import pytest

from tests.benchmarks.linkage.japanese import columns
from tests.people import RATES, Profile, profiles
from tests.people.dating import PLACEHOLDER
from tests.people.kana import HALF_WIDTH

SMALL = set("ァィゥェォャュョッ")
KANA = {
    *(chr(code) for code in range(0x30A1, 0x30FD)),
    *"".join(HALF_WIDTH.values()),
    " ",
    "\u3000",
}


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Profile]]:
    """Profiles where nothing happens but what is named, and that always."""

    def made(*always: str) -> list[Profile]:
        for what in RATES:
            monkeypatch.setitem(RATES, what, float(what in always))
        return list(profiles(400, 1_200, seed=5))

    return made


def test_where_nothing_happens_all_profiles_of_a_person_agree(
    rates: Callable[..., list[Profile]],
) -> None:
    known = rates()
    by_person = defaultdict(list)
    for profile, row in zip(known, columns(known), strict=True):
        by_person[profile.person].append(row)
    for rows in by_person.values():
        for field in (
            "whole",
            "whole_kana",
            "postcode",
            "birth_date",
            "mobile",
            "landline",
            "mail",
        ):
            assert len({row[field] for row in rows} - {None}) <= 1, field
    owners = defaultdict(set)
    for profile, row in zip(known, columns(known), strict=True):
        owners[row["mobile"], "mobile"].add(profile.person)
        owners[row["mail"], "mail"].add(profile.person)
        owners[row["landline"], "landline"].add(profile.household)
    assert all(len(of_one) == 1 for (value, _), of_one in owners.items() if value)


@pytest.mark.parametrize(
    ("what", "field", "holds"),
    [
        ("romaji_name", "name", str.isascii),
        ("katakana_name", "name", lambda text: set(text) <= KANA),
        ("hiragana_name", "name", lambda text: set(jaconv.hira2kata(text)) <= KANA),
        ("honorific", "name", lambda text: text.endswith(("様", "さん"))),
        ("kana_large", "name_kana", lambda text: not SMALL & set(text)),
        ("era_letter", "birth_date", re.compile(r"[TSHR]\d+\.\d+\.\d+").fullmatch),
        ("era_kanji", "birth_date", re.compile(r"..(\d+|元)年\d+月\d+日").fullmatch),
        ("birth_placeholder", "birth_date", PLACEHOLDER.__eq__),
        (
            "no_prefecture",
            "address",
            lambda text: not re.match(r"(北海道|...?県|東京都|..府)", text),
        ),
        ("in_building", "address", re.compile(r".*\d0\d").match),
    ],
)
def test_what_always_happens_is_seen_everywhere(
    what: str, field: str, holds: Callable[[str], object], rates: Callable[..., list[Profile]]
) -> None:
    filled = [text for each in rates(what) if (text := getattr(each, field))]
    assert len(filled) > 300
    assert [text for text in filled if not holds(text)] == []


def test_an_old_form_stands_where_it_is_official(rates: Callable[..., list[Profile]]) -> None:
    assert any("高" in each.name for each in rates())
    written = rates("official_old", "old_form")
    assert any("髙" in each.name for each in written)
    assert not any("高" in each.name for each in written)


@pytest.mark.parametrize("what", ["name_misread", "kana_slip", "address_slip", "postcode_slip"])
def test_a_slip_changes_its_field_only(what: str, rates: Callable[..., list[Profile]]) -> None:
    """What is drawn after it differs, so people are compared with themselves."""
    field = {"name_misread": "whole", "kana_slip": "whole_kana", "postcode_slip": "postcode"}.get(
        what
    )
    known = rates(what)
    by_person = defaultdict(list)
    for profile, row in zip(known, columns(known), strict=True):
        by_person[profile.person].append(row)
    differing = {
        name
        for rows in by_person.values()
        for name in ("whole", "whole_kana", "postcode", "birth_date", "mobile", "mail")
        if len({row[name] for row in rows} - {None}) > 1
    }
    assert differing == ({field} if field else set())
