"""Who are the customers? Each has a store card and an EC account that share a phone number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from services.demo.shop import names
from services.demo.shop.names import Json
from services.demo.shop.rows import Rows

_CUSTOMERS = """
SELECT c_customer_sk, c_first_name, c_last_name, c_email_address, ca_zip, d_date
FROM shop.customer
LEFT JOIN shop.customer_address ON ca_address_sk = c_current_addr_sk
LEFT JOIN shop.date_dim ON d_date_sk = c_first_sales_date_sk
ORDER BY c_customer_sk
"""
_ENROLLED = date(1997, 12, 1)  # of those whose first sale has no date


def profiles(rows: Rows) -> Iterator[Json]:
    """Both profiles of every customer; the card came first."""
    for customer, first, last, email, postcode, first_sale in rows.stream(_CUSTOMERS):
        name = " ".join(part for part in (first, last) if part) or None
        enrolled = datetime.combine(first_sale or _ENROLLED, time(10), names.JST)
        number = names.phone(customer)
        card = [
            {"kind": "card", "value": names.customer_id(names.POS, customer)},
            {"kind": "phone", "value": f"{number[:3]}-{number[3:7]}-{number[7:]}"},
        ]
        yield _registered(names.POS, customer, enrolled, card, name=name, postcode=postcode)
        # The web shop writes the same number another way: meeting again is the members' work.
        account = [
            {"kind": "account", "value": names.customer_id(names.EC, customer)},
            {"kind": "phone", "value": f"+81 {number[1:3]} {number[3:7]} {number[7:]}"},
        ]
        if email:
            account.append({"kind": "email", "value": email})
        later = enrolled + timedelta(days=30)
        yield _registered(names.EC, customer, later, account, name=name)


def _registered(
    system: str,
    customer: int,
    at: datetime,
    identifiers: list[dict[str, str]],
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
