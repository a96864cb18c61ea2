"""Which phone and which e-mail does somebody give, and how are they typed?"""

from __future__ import annotations

from tests.people.dice import Dice
from tests.people.drawing import Draw
from tests.people.living import Person

_FULL = {ord(sign): chr(ord(sign) + 0xFEE0) for sign in "0123456789-"}
_FORMS = Draw(
    ("hyphens", "bare", "brackets", "full", "international", "spaces"), (50, 34, 4, 6, 3, 3)
)
_MISSPELT = {
    "gmail.com": ("gmial.com", "gmai.com", "gmail.co.jp", "gmail.con"),
    "yahoo.co.jp": ("yaho.co.jp", "yahoo.ne.jp", "yahoo.co.jo"),
    "docomo.ne.jp": ("docomo.co.jp", "docmo.ne.jp"),
    "icloud.com": ("iclod.com", "icloud.co.jp"),
}
PLACEHOLDERS = ("0000000000", "000-0000-0000", "00000000000")
ONLY_MOBILE, ONLY_LANDLINE, BOTH = range(3)
_GIVEN = Draw(range(3), (0.75, 0.12, 0.13))


class Reaching:
    """Writes the phones and e-mail addresses that somebody gives on a day."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def phones(self, person: Person, day: float) -> tuple[str, ...]:
        """One, or the mobile and the landline."""
        dice, landline = self._dice, person.landline_on(day)
        given = _GIVEN(dice.random()) if landline else ONLY_MOBILE
        if given == ONLY_LANDLINE:
            return (self._phone(landline),)
        mobile = self._phone(self._whose(person, day, "phone").mobile_on(day))
        return (mobile, self._phone(landline)) if given == BOTH else (mobile,)

    def mails(self, person: Person, day: float) -> tuple[str, ...]:
        dice, household = self._dice, person.household
        whose = self._whose(person, day, "mail")
        if whose is person and household.mail and dice.happens("family_mail"):
            return (self._mail(household.mail),)
        if whose is person and person.second_mail and dice.happens("second_mail"):
            return (self._mail(person.second_mail),)
        return (self._mail(whose.mail_on(day)),)

    def _whose(self, person: Person, day: float, what: str) -> Person:
        dice, members = self._dice, person.household.members
        if person.parent and person.is_child(day):
            return person.parent if dice.happens(f"childs_{what}") else person
        if what == "phone" and len(members) > 1 and dice.happens("shared_phone"):
            return dice.pick([member for member in members if member is not person])
        return person

    def _phone(self, digits: str) -> str:
        dice = self._dice
        if dice.happens("phone_placeholder"):
            return dice.pick(PLACEHOLDERS)
        if dice.happens("phone_slip"):
            at = 4 + dice.below(len(digits) - 4)
            digits = (
                digits[:at] + str((int(digits[at]) + 1 + dice.below(9)) % 10) + digits[at + 1 :]
            )
        form = _FORMS(dice.random())
        if form == "bare":
            return digits
        first = 3 if len(digits) == 11 else 2 if digits[:2] in ("03", "06") else 3
        area, local, last = digits[:first], digits[first:-4], digits[-4:]
        if form == "brackets":
            return f"{area}({local}){last}"
        if form == "international":
            return f"+81 {area[1:]}-{local}-{last}"
        if form == "spaces":
            return f"{area} {local} {last}"
        text = f"{area}-{local}-{last}"
        return text.translate(_FULL) if form == "full" else text

    def _mail(self, address: str) -> str:
        dice = self._dice
        local, provider = address.split("@")
        if provider in _MISSPELT and dice.happens("mail_slip"):
            provider = dice.pick(_MISSPELT[provider])
        elif provider == "gmail.com" and dice.happens("mail_tag"):
            local += dice.pick(("+shop", "+store", "+ec", "+card"))
        if dice.happens("mail_case"):
            return (
                f"{local.capitalize()}@{provider}"
                if dice.random() < 0.6
                else f"{local}@{provider}".upper()
            )
        return f"{local}@{provider}"
