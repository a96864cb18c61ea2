"""Which profiles do the source systems register, in the order in which they arrive?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import combinations
from typing import NamedTuple

from tests.people.addressing import Addressing
from tests.people.dating import Dating
from tests.people.dice import Dice
from tests.people.drawing import Draw
from tests.people.households import Town
from tests.people.living import BEGAN, DAYS, Person
from tests.people.naming import Naming
from tests.people.reaching import Reaching
from tests.people.sources import SHARES, STYLES

MOST = 5
"""Profiles of one person."""
_DAY = 86_400_000_000  # microseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
_STYLES = Draw(STYLES, SHARES)


class Profile(NamedTuple):
    """What a source system has written down; a field left blank is empty.

    `id` has 16 bytes, `registered_at` counts microseconds since 1970. `person` and `household`
    are the truth, which no matcher sees.
    """

    id: bytes
    person: int
    household: int
    source: str
    name: str
    name_kana: str
    postcode: str
    address: str
    birth_date: str
    phones: tuple[str, ...]
    mails: tuple[str, ...]
    registered_at: int


def profiles(
    people: int = 12_000,
    profiles: int = 20_000,
    seed: int = 1,
    tally: dict[str, list[int]] | None = None,
) -> Iterator[Profile]:
    """In order of registration; a million take about 1 GB until they are taken away.

    `tally` gets, for every rate, how often it was tried and how often it happened. Raises
    ValueError if so many profiles cannot be one to five of each of so many people.
    """
    if not 1 <= people <= profiles <= MOST * people:
        raise ValueError(f"profiles: {profiles} are not 1 to {MOST} of each of {people} people")
    return _arriving(people, profiles, seed, {} if tally is None else tally)


def true_pairs(profiles: Iterable[Profile]) -> set[frozenset[bytes]]:
    """Every two profiles of one person."""
    by_person: defaultdict[int, list[bytes]] = defaultdict(list)
    for profile in profiles:
        by_person[profile.person].append(profile.id)
    return {frozenset(pair) for ids in by_person.values() for pair in combinations(ids, 2)}


def _arriving(
    people: int, profiles: int, seed: int, tally: dict[str, list[int]]
) -> Iterator[Profile]:
    dice = Dice(seed, tally)
    counts = _counts(dice, people, profiles)
    clerk = _Clerk(dice, seed)
    written = [
        clerk.profile(person, number)
        for household in Town(dice).households(people)
        for person in household.members
        for number in range(counts[person.id])
    ]
    written.sort(key=lambda profile: (profile.registered_at, profile.id), reverse=True)
    while written:
        yield written.pop()


def _counts(dice: Dice, people: int, profiles: int) -> bytearray:
    """Everybody has one; the others fall on whoever comes in again."""
    counts = bytearray(b"\1") * people
    left = profiles - people
    while left:
        person = dice.below(people)
        if counts[person] < MOST:
            counts[person] += 1
            left -= 1
    return counts


class _Clerk:
    """Writes people down."""

    def __init__(self, dice: Dice, seed: int) -> None:
        self._dice, self._seed = dice, seed
        self._naming, self._addressing = Naming(dice), Addressing(dice)
        self._dating, self._reaching = Dating(dice), Reaching(dice)

    def profile(self, person: Person, number: int) -> Profile:
        random = self._dice.random
        starts = person.starts
        day = starts + random() * (DAYS - starts)
        style = _STYLES(random())
        name, kana = self._naming.written(person, day, style)
        address = person.address_on(day)
        return Profile(
            blake2b(f"{self._seed} {person.id} {number}".encode(), digest_size=16).digest(),
            person.id, person.household.id, style.system, name, kana,
            self._addressing.postcode(address) if random() < style.postcode else "",
            self._addressing.written(address) if random() < style.address else "",
            self._dating.written(person.born) if random() < style.birth else "",
            self._reaching.phones(person, day) if random() < style.phone else (),
            self._reaching.mails(person, day) if random() < style.mail else (),
            int((BEGAN - _EPOCH + day) * _DAY),
        )  # fmt: skip
