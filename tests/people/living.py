"""What is true of a household and of a person, on a day?"""

from __future__ import annotations

from datetime import date

from tests.people.forms import has_old_form
from tests.people.names import Name
from tests.people.places import Address

BEGAN = date(2012, 1, 1).toordinal()
DAYS = date(2026, 7, 1).toordinal() - BEGAN
NEVER = DAYS + 1
YOUNGEST, CHILD = 6, 13  # years: at the first profile; below, parents are reached instead


class Household:
    """One roof: an address, another from the day of the move on, its landlines, its e-mail."""

    __slots__ = ("address", "id", "landlines", "later", "mail", "members", "moves")

    def __init__(self, id: int) -> None:
        self.id = id
        self.members: list[Person] = []
        self.moves = NEVER
        self.address: Address | None = None
        self.later: Address | None = None
        self.landlines: list[str] = []
        self.mail = ""


class Person:
    """Somebody; days are counted from the first on which profiles are registered."""

    __slots__ = (
        "born", "families", "given", "home", "household", "id", "is_wife", "leaves",
        "mail_changes", "mails", "mobile_changes", "mobiles", "old", "parent", "renamed",
        "second_mail", "sex", "year",
    )  # fmt: skip

    def __init__(
        self, household: Household, sex: str, born: int, family: Name, given: Name
    ) -> None:
        self.id, self.household, self.sex, self.born = -1, household, sex, born
        self.year = date.fromordinal(born).year
        self.families: tuple[Name, ...] = (family,)
        self.given = given
        self.renamed = self.leaves = self.mobile_changes = self.mail_changes = NEVER
        self.is_wife = False
        self.home: Address | None = None
        self.parent: Person | None = None
        self.mobiles: list[str] = []
        self.mails: list[str] = []
        self.second_mail = ""
        self.old = 0

    @property
    def family(self) -> Name:
        return self.families[0]

    @property
    def starts(self) -> int:
        """The first day on which somebody writes them down."""
        return max(0, self.born + YOUNGEST * 365 - BEGAN)

    @property
    def may_be_old(self) -> bool:
        return has_old_form(self.given.kanji) or any(has_old_form(f.kanji) for f in self.families)

    def is_child(self, day: float) -> bool:
        return day < self.born + CHILD * 365 - BEGAN

    def family_on(self, day: float) -> Name:
        return self.families[-1] if day >= self.renamed else self.families[0]

    def address_on(self, day: float) -> Address:
        if day >= self.leaves and self.home:
            return self.home
        household = self.household
        address = household.later if day >= household.moves else household.address
        if address is None:
            raise ValueError(f"household {household.id}: has no address yet")
        return address

    def landline_on(self, day: float) -> str:
        """None after leaving."""
        household = self.household
        if not household.landlines or (day >= self.leaves and self.home):
            return ""
        return household.landlines[day >= household.moves]

    def mobile_on(self, day: float) -> str:
        return self.mobiles[-1] if day >= self.mobile_changes else self.mobiles[0]

    def mail_on(self, day: float) -> str:
        return self.mails[-1] if day >= self.mail_changes else self.mails[0]
