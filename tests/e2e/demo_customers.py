"""Who are the demo's customers, as its tables tell, and in which spellings are they known?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from services.demo.shop import names
from services.demo.shop.rows import Rows
from tests.e2e.needles import email_spellings, name_spellings, phone_spellings

_QUERY = """
SELECT c_customer_sk, c_first_name, c_last_name, c_email_address FROM shop.customer
ORDER BY c_customer_sk
"""


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer of the generated tables, with a store card and an EC account."""

    number: int
    first: str | None
    last: str | None
    email: str | None

    @property
    def name(self) -> str | None:
        """The full name; a first or a last name alone is anybody's."""
        return f"{self.first} {self.last}" if self.first and self.last else None

    @property
    def profiles(self) -> tuple[str, str]:
        return names.profile(names.POS, self.number), names.profile(names.EC, self.number)

    @property
    def identifiers(self) -> list[dict[str, str]]:
        known = {
            "phone": names.phone(self.number),
            "card": names.customer_id(names.POS, self.number),
            "account": names.customer_id(names.EC, self.number),
            "email": self.email,
        }
        return [{"kind": kind, "value": value} for kind, value in known.items() if value]

    def spellings(self) -> set[str]:
        """E-mail, phone and full name in every way they are written."""
        phone = names.phone(self.number)
        spelt = phone_spellings(f"+81{phone[1:]}")
        spelt |= {
            sign.join(("+81", phone[1:3], phone[3:7], phone[7:])) for sign in (" ", "-")
        }  # as the EC accounts of the demo write it
        if self.first and self.last:
            spelt |= name_spellings(self.first, self.last)
        return spelt | email_spellings(self.email) if self.email else spelt


def customers(tables: Path) -> list[Customer]:
    """All of them."""
    rows = Rows(tables)
    try:
        return [Customer(*row) for row in rows.stream(_QUERY)]
    finally:
        rows.close()


def every_spelling(of: Collection[Customer]) -> set[str]:
    return {spelling for customer in of for spelling in customer.spellings()}
