"""People with several profiles each, by a seed: what each system knows, and how it changes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.services.identity.town import registered, updated

FAMILIES = ("佐藤", "鈴木", "高橋", "田中", "渡辺", "伊藤", "山本", "中村", "小林", "加藤")
GIVENS = ("太郎", "花子", "健一", "美咲", "翔太", "さくら", "大輔", "陽菜", "直樹", "愛")
TOWNS = (
    ("150-0001", "東京都渋谷区神宮前"),
    ("530-0001", "大阪府大阪市北区梅田"),
    ("060-0001", "北海道札幌市中央区北一条西"),
)
BEGIN = datetime(2026, 4, 1, tzinfo=UTC)


class Crowd:
    """So many people; every profile is told of once, and some of them again and again."""

    def __init__(self, seed: int, people: int) -> None:
        self._chance = random.Random(seed)
        self._people = [self._person(number) for number in range(people)]
        self._at = BEGIN
        self._known: list[tuple[str, dict[str, Any]]] = []

    @property
    def profiles(self) -> list[str]:
        """Ids of everybody told of so far."""
        return [profile for profile, _ in self._known]

    def arrivals(self) -> Iterator[dict[str, Any]]:
        """One to three profiles of each, in any order, with what each system happens to know."""
        told = [person for person in self._people for _ in range(self._chance.randint(1, 3))]
        self._chance.shuffle(told)
        for person in told:
            profile = str(UUID(int=self._chance.getrandbits(128), version=4))
            self._known.append((profile, person))
            yield registered(profile, self._now(), **self._some(person))

    def changes(self, many: int) -> Iterator[dict[str, Any]]:
        """Fields that are corrected, mistyped or cleared."""
        for _ in range(many):
            profile, person = self._chance.choice(self._known)
            said = self._some(person)
            said.pop("email", None)
            said.pop("phone", None)
            draw = self._chance.random()
            if draw < 0.3:
                other = self._chance.choice(self._people)
                said["name"] = other["name"]
            cleared = ["birth_date"] if draw > 0.8 else []
            if cleared:
                said.pop("birth_date", None)
            yield updated(profile, self._now(), cleared, **said)

    def _person(self, number: int) -> dict[str, Any]:
        chance = self._chance
        postcode, town = chance.choice(TOWNS)
        block = f"{chance.randint(1, 9)}-{chance.randint(1, 9)}-{chance.randint(1, 9)}"
        born = f"{chance.randint(1950, 2005)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        return {
            "name": f"{chance.choice(FAMILIES)} {chance.choice(GIVENS)}",
            "birth_date": born,
            "postcode": postcode,
            "address": f"{town}{block}",
            "phone": f"090-{number:04}-{chance.randint(0, 9999):04}",
            "email": f"mail{number}@example.jp",
        }

    def _some(self, person: dict[str, Any]) -> dict[str, Any]:
        chance = self._chance
        said = {"name": person["name"]}
        if chance.random() < 0.6:
            said["birth_date"] = person["birth_date"]
        if chance.random() < 0.6:
            said |= {"postcode": person["postcode"], "address": person["address"]}
        for kind in ("phone", "email"):
            if chance.random() < 0.3:
                said[kind] = person[kind]
        if chance.random() < 0.1:
            said["name"] = said["name"].replace(" ", "　")
        return said

    def _now(self) -> str:
        self._at += timedelta(seconds=self._chance.randint(1, 600))
        return self._at.isoformat()
