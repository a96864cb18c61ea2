"""Who lives together, who is related to whom, and what changes in their lives?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from tests.people.contacts import Contacts
from tests.people.dice import Dice
from tests.people.drawing import Draw
from tests.people.living import BEGAN, DAYS, NEVER, Household, Person
from tests.people.names import FEMALE, MALE, Name, names
from tests.people.places import Address, places, room

SINGLE, COUPLE, FAMILY, ONE_PARENT, THREE_GENERATIONS, SIBLINGS = range(6)
_KINDS = Draw(range(6), (0.48, 0.17, 0.20, 0.05, 0.06, 0.04))
_CHILDREN = Draw((1, 2, 3), (0.42, 0.44, 0.14))
_LAST_BIRTH = 2019
_REMEMBERED = 5_000


class Town:
    """Fills households until everybody asked for is there."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._contacts = Contacts(dice)
        self._names, self._places = names(), places()
        self._people = 0
        self._given_up: list[str] = []
        self._known: list[Person] = []  # whose name a stranger may have too
        self._buildings: list[Address] = []

    def households(self, people: int) -> Iterator[Household]:
        """As many as hold so many people; the last may be cut short."""
        number = 0
        while self._people < people:
            household = Household(number)
            self._fill(household, people - self._people)
            del household.members[people - self._people :]
            for person in household.members:
                person.id = self._people
                self._people += 1
            self._settle(household)
            yield household
            number += 1

    def _fill(self, household: Household, at_most: int) -> None:
        dice = self._dice
        kind, year = _KINDS(dice.random()), 1935 + int((dice.random() + dice.random()) * 35)
        if kind == SINGLE or at_most == 1:
            self._alone(household, year)
            return
        family = self._names.family(dice)
        if kind == SIBLINGS:
            for _ in range(2):
                sex = MALE if dice.random() < 0.5 else FEMALE
                self._adult(household, family, sex, year + dice.below(6))
        elif kind == COUPLE:
            self._couple(household, family, year)
        else:
            year = 1950 + dice.below(40)
            if kind == ONE_PARENT:
                sex = FEMALE if dice.random() < 0.85 else MALE
                parents = [self._adult(household, family, sex, year)]
            else:
                parents = self._couple(household, family, year)
            if kind == THREE_GENERATIONS:
                for sex in (FEMALE, MALE)[: 1 + (dice.random() < 0.6)]:
                    self._adult(household, family, sex, year - 24 - dice.below(8))
            self._children(household, family, parents)

    def _alone(self, household: Household, year: int) -> None:
        dice = self._dice
        if self._known and dice.happens("namesakes"):
            other = dice.pick(self._known)
            if dice.happens("namesakes_year"):
                year = other.year
            self._person(household, other.family, other.given, other.sex, _day(dice, year))
        else:
            sex = MALE if dice.random() < 0.45 else FEMALE
            self._adult(household, self._names.family(dice), sex, year)

    def _couple(self, household: Household, family: Name, year: int) -> list[Person]:
        wife = self._adult(household, family, FEMALE, year + self._dice.below(5))
        husband = self._adult(household, family, MALE, year - 2 + self._dice.below(5))
        wife.is_wife = True
        return [wife, husband]

    def _children(self, household: Household, family: Name, parents: list[Person]) -> None:
        dice = self._dice
        count, year = _CHILDREN(dice.random()), parents[0].year + 22 + dice.below(12)
        twins = count > 1 and dice.happens("twins")
        elder: Person | None = None
        for nth in range(count):
            born = _day(dice, min(year + nth * (2 + dice.below(3)), _LAST_BIRTH))
            sex = MALE if dice.random() < 0.51 else FEMALE
            if twins and nth == 1 and elder:
                born, sex = elder.born, elder.sex if dice.random() < 0.6 else sex
                given = self._twin(elder, sex)
            else:
                given = self._named(parents, sex, date.fromordinal(born).year)
            taken = {member.given.kanji for member in household.members}
            while given.kanji in taken:
                given = self._names.given(dice, sex, date.fromordinal(born).year)
            elder = self._person(household, family, given, sex, born)
            elder.parent = parents[0]
            grown = born + 18 * 365 - BEGAN
            if grown < DAYS and dice.happens("child_leaves"):
                elder.leaves = max(grown, 0) + dice.below(DAYS - max(grown, 0))
                elder.home = self._places.address(dice, dice.happens("in_building"))

    def _twin(self, elder: Person, sex: str) -> Name:
        if sex == elder.sex and self._dice.happens("twins_share_kanji"):
            return self._dice.pick(self._names.begun[sex][elder.given.kanji[0]])
        return self._names.given(self._dice, sex, elder.year)

    def _named(self, parents: list[Person], sex: str, year: int) -> Name:
        dice, after = self._dice, [parent.given for parent in parents if parent.sex == sex]
        if after:
            kana, kanji = after[0].kana, after[0].kanji
            alike = [each for each in self._names.given_alike[sex].get(kana, ()) if each != kanji]
            if alike and dice.happens("same_reading"):
                return Name(dice.pick(alike), kana)
            begun = [each for each in self._names.begun[sex][kanji[0]] if each.kanji != kanji]
            if begun and dice.happens("named_after"):
                return dice.pick(begun)
        return self._names.given(dice, sex, year)

    def _adult(self, household: Household, family: Name, sex: str, year: int) -> Person:
        given = self._names.given(self._dice, sex, year)
        return self._person(household, family, given, sex, _day(self._dice, year))

    def _person(
        self, household: Household, family: Name, given: Name, sex: str, born: int
    ) -> Person:
        person = Person(household, sex, born, family, given)
        household.members.append(person)
        return person

    def _settle(self, household: Household) -> None:
        """Where they live and how they are reached, now and later."""
        dice, several = self._dice, len(household.members) > 1
        household.address = self._address()
        if dice.happens("household_moves"):
            household.moves, household.later = dice.below(DAYS), self._address()
        if (dice.random() < 0.5 and not several) or (several and dice.happens("landline")):
            for address in (household.address, household.later):
                code = address.town.area_code if address else ""
                household.landlines.append(self._contacts.landline(code) if code else "")
        for person in household.members:
            self._life(person)
        if several:
            first = household.members[0]
            household.mail = self._contacts.mail(first.family, first.given, first.year)
        if len(self._known) < _REMEMBERED:
            self._known.append(household.members[0])

    def _address(self) -> Address:
        dice = self._dice
        if self._buildings and dice.happens("neighbours"):
            return dice.pick(self._buildings)._replace(room=room(dice))
        address = self._places.address(dice, dice.happens("in_building"))
        if address.building and len(self._buildings) < _REMEMBERED:
            self._buildings.append(address)
        return address

    def _life(self, person: Person) -> None:
        dice = self._dice
        if person.sex == FEMALE and person.year <= 2005 and dice.happens("name_changes"):
            self._marry(person)
        if person.may_be_old:
            person.old = (1 + dice.below(2)) if dice.happens("official_old") else 0
        person.mobiles.append(self._contacts.mobile())
        if dice.happens("mobile_changes"):
            recycled = bool(self._given_up) and dice.random() < 0.5
            person.mobiles.append(self._given_up.pop() if recycled else self._contacts.mobile())
            person.mobile_changes = dice.below(DAYS)
            if dice.happens("mobile_recycled"):
                self._given_up.append(person.mobiles[0])
        person.mails.append(self._contacts.mail(person.family, person.given, person.year))
        if dice.happens("mail_changes"):
            person.mails.append(self._contacts.mail(person.family, person.given, person.year))
            person.mail_changes = dice.below(DAYS)
        if dice.random() < 0.4:
            person.second_mail = self._contacts.mail(person.family, person.given, person.year)

    def _marry(self, person: Person) -> None:
        dice, other = self._dice, self._names.family(self._dice)
        grown = max(person.born + 20 * 365 - BEGAN, 0)
        person.renamed = grown + dice.below(DAYS - grown)
        if person.is_wife:  # the household has her husband's name
            person.families = (other, person.family)
            return
        person.families = (person.family, other)
        if person.leaves == NEVER and dice.random() < 2 / 3:
            person.leaves = person.renamed
            person.home = self._places.address(dice, dice.happens("in_building"))


def _day(dice: Dice, year: int) -> int:
    return date(year, 1, 1).toordinal() + dice.below(365)
