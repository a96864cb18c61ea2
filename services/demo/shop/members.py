"""The demo's customers: each has a store card and an EC account.

Four in five customers gave the same phone number to both. The two profiles of every fifth customer
share no identifier; name, birth date and address may be missing or spelled differently.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from services.demo.shop import names
from services.demo.shop.names import Json
from services.demo.shop.rows import Rows

_CUSTOMERS = """
SELECT c_customer_sk, c_first_name, c_last_name, c_email_address, ca_zip, ca_street_number,
    ca_street_name, ca_street_type, ca_city, ca_state,
    try(make_date(c_birth_year, c_birth_month, c_birth_day)), d_date
FROM shop.customer
LEFT JOIN shop.customer_address ON ca_address_sk = c_current_addr_sk
LEFT JOIN shop.date_dim ON d_date_sk = c_first_sales_date_sk
ORDER BY c_customer_sk
"""
_ENROLLED = date(1997, 12, 1)  # for customers whose first sale has no date
_SHORT = {"Street": "St", "Avenue": "Ave", "Road": "Rd", "Boulevard": "Blvd", "Drive": "Dr",
    "Court": "Ct", "Circle": "Cir", "Parkway": "Pkwy", "Lane": "Ln"}  # fmt: skip


class _Customer(NamedTuple):
    number: int
    first: str | None
    last: str | None
    email: str | None
    postcode: str | None
    street_number: str | None
    street: str | None
    street_type: str | None
    city: str | None
    state: str | None
    born: date | None
    first_sale: date | None

    @property
    def name(self) -> str | None:
        return " ".join(part for part in (self.first, self.last) if part) or None

    def address(self, street_type: str | None) -> str | None:
        street = " ".join(filter(None, (self.street_number, self.street, street_type)))
        place = " ".join(filter(None, (self.state, self.postcode)))
        return ", ".join(filter(None, (street, self.city, place))) or None


def profiles(rows: Rows) -> Iterator[Json]:
    """The events of both profiles of every customer; the card comes first."""
    for row in rows.stream(_CUSTOMERS):
        who = _Customer(*row)
        enrolled = datetime.combine(who.first_sale or _ENROLLED, time(10), names.JST)
        number = names.phone(who.number)
        card = [
            _proven("card", names.customer_id(names.POS, who.number)),
            _proven("phone", f"{number[:3]}-{number[3:7]}-{number[7:]}"),
        ]
        yield _registered(
            names.POS, who.number, enrolled, card, name=who.name, postcode=who.postcode,
            address=who.address(who.street_type), birth_date=_day(who.born),
        )  # fmt: skip
        account = [_proven("account", names.customer_id(names.EC, who.number))]
        if names.shares_a_phone(who.number):
            # The web shop writes the number differently: the normal form must be equal.
            account.append(_proven("phone", f"+81 {number[1:3]} {number[3:7]} {number[7:]}"))
        if who.email:
            account.append(_proven("email", who.email))
        later = enrolled + timedelta(days=30)
        yield _registered(names.EC, who.number, later, account, **_as_the_web_knows(who))


def _as_the_web_knows(who: _Customer) -> dict[str, str | None]:
    """The personal fields of the EC account, as the customer entered them there."""
    if names.shares_a_phone(who.number):
        return {"name": who.name}
    short = who.address(_SHORT.get(who.street_type or "", who.street_type))
    written = {
        "name": who.name, "postcode": who.postcode, "address": short,
        "birth_date": _day(who.born),
    }  # fmt: skip
    habit = who.number // names.ONE_IN % 4
    if habit == 1:  # has not given an address
        return {**written, "postcode": None, "address": None}
    if habit == 2:  # has not given the birth date
        return {**written, "birth_date": None}
    if habit == 3 and who.first and who.last:
        return {**written, "name": f"{who.last.upper()}, {who.first}"}
    return written


def _day(born: date | None) -> str | None:
    return born.isoformat() if born else None


def _proven(kind: str, value: str) -> Json:
    """A verified identifier, as in an event."""
    return {"kind": kind, "value": value, "verified": True}


def _registered(
    system: str,
    customer: int,
    at: datetime,
    identifiers: list[Json],
    **attributes: str | None,
) -> Json:
    event: Json = {
        "type": "ProfileRegistered",
        "meta": names.meta(system, names.demo_id("registered", system, customer), at),
        "profile_id": names.profile(system, customer),
        "source_system": system,
        "registered_at": names.instant(at),
        "identifiers": identifiers,
    }
    return event | {name: value for name, value in attributes.items() if value}
