"""What are people in Japan called, by family and by sex and year of birth?

The tables hold frequent names with their readings; the frequencies of family names, in thousands
of bearers, follow the published rankings at the top and their curve below it. The long tail of
names is composed of parts, as most rare names are.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from tests.people.dice import Dice
from tests.people.drawing import Draw

_HERE = Path(__file__).parent
RARE_FAMILY, RARE_GIVEN = 0.30, 0.15
MALE, FEMALE = "m", "f"


class Name(NamedTuple):
    """One part of a name: kanji, katakana, and how else the kanji may be read."""

    kanji: str
    kana: str
    otherwise: tuple[str, ...] = ()


class Names:
    """Every name with its frequency; those that sound alike, and those that begin alike."""

    def __init__(self) -> None:
        rows = [line.split() for line in _lines("family_names.txt")]
        listed = [_name(kanji, readings) for kanji, readings, _ in rows]
        known = {each.kanji for each in listed}
        first, second, *given_parts = _lines("name_parts.txt")
        rare = [each for each in _composed(first, second) if each.kanji not in known]
        self._family = Draw(listed, (float(weight) for *_, weight in rows))
        self._rare_family = _tail(rare)
        self._given = _by_decade()
        self._rare_given = {
            MALE: _tail(_composed(*given_parts[:2])),
            FEMALE: _tail(_composed(*given_parts[2:])),
        }
        self.listed_family, self.listed_given = listed, _listed(self._given)
        self.family_alike = _alike([*listed, *rare])
        given = {
            sex: [*self.listed_given[sex], *self._rare_given[sex].values] for sex in (MALE, FEMALE)
        }
        self.given_alike = {sex: _alike(known) for sex, known in given.items()}
        self.begun = {sex: _begun(known) for sex, known in given.items()}

    def family(self, dice: Dice) -> Name:
        at = dice.random()
        if at < RARE_FAMILY:
            return self._rare_family(at / RARE_FAMILY)
        return self._family((at - RARE_FAMILY) / (1 - RARE_FAMILY))

    def given(self, dice: Dice, sex: str, year: int) -> Name:
        """By sex and decade of birth."""
        at = dice.random()
        if at < RARE_GIVEN:
            return self._rare_given[sex](at / RARE_GIVEN)
        decade = min(max(year, 1930), 2019) // 10 * 10
        return self._given[sex, decade]((at - RARE_GIVEN) / (1 - RARE_GIVEN))


@lru_cache(maxsize=1)
def names() -> Names:
    """The tables, read once."""
    return Names()


def _lines(file: str) -> list[str]:
    return (_HERE / file).read_text("utf-8").splitlines()


def _name(kanji: str, readings: str) -> Name:
    usual, *otherwise = readings.split("/")
    return Name(kanji, usual, tuple(otherwise))


def _by_decade() -> dict[tuple[str, int], Draw[Name]]:
    """A heading of sex and decade, then that decade's names, roughly the most frequent first."""
    found: dict[tuple[str, int], Draw[Name]] = {}
    lines = _lines("given_names.txt")
    for heading, listed in zip(lines[::2], lines[1::2], strict=True):
        sex, decade = heading.split()
        of_decade = [_name(*each.split("=")) for each in listed.split()]
        weights = [1 / (rank + 8) for rank in range(len(of_decade))]
        found[sex, int(decade)] = Draw(of_decade, weights)
    return found


def _listed(decades: dict[tuple[str, int], Draw[Name]]) -> dict[str, list[Name]]:
    found: dict[str, dict[Name, None]] = {MALE: {}, FEMALE: {}}
    for (sex, _), draw in decades.items():
        found[sex].update(dict.fromkeys(draw.values))
    return {sex: list(known) for sex, known in found.items()}


def _composed(first: str, second: str) -> list[Name]:
    return [
        Name(one[0] + two[0], one[1:] + two[1:])
        for one in first.split()
        for two in second.split()
        if one[0] != two[0]
    ]


def _tail(rare: list[Name]) -> Draw[Name]:
    """In an order of no meaning, each met less often than the one before."""
    shuffled = sorted(rare, key=lambda name: blake2b("".join(name[:2]).encode()).digest())
    return Draw(shuffled, ((rank + 60) ** -0.9 for rank in range(len(shuffled))))


def _alike(known: list[Name]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for each in dict.fromkeys((name.kana, name.kanji) for name in known):
        found[each[0]].append(each[1])
    return {kana: kanji for kana, kanji in found.items() if len(kanji) > 1}


def _begun(known: list[Name]) -> dict[str, list[Name]]:
    """By the first kanji."""
    found: defaultdict[str, list[Name]] = defaultdict(list)
    for each in known:
        found[each.kanji[0]].append(each)
    return found
