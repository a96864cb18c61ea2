"""Made-up customers with a store card and an EC account each, as two systems report them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from tests.e2e.needles import email_spellings, name_spellings, phone_spellings

_FAMILY = ["佐々木", "長谷川", "小野寺", "五十嵐", "Featherstone", "Abernathy"]
_GIVEN = ["健太郎", "美佐子", "龍之介", "千代子", "Bartholomew", "Guinevere"]
_WHEN = "2026-04-01T10:15:00+09:00"


@dataclass(frozen=True)
class Person:
    """One customer; a number in the name keeps two apart."""

    number: int
    family: str
    given: str
    card_profile: UUID
    account_profile: UUID

    @property
    def name(self) -> str:
        return f"{self.family} {self.given}"

    @property
    def email(self) -> str:
        return f"P{self.number:09d}.Customer@example.co.jp"

    @property
    def phone(self) -> str:
        return f"+8190{self.number:08d}"

    @property
    def profiles(self) -> tuple[UUID, UUID]:
        return self.card_profile, self.account_profile

    def spellings(self) -> set[str]:
        names = name_spellings(self.family, self.given)
        return {*email_spellings(self.email), *phone_spellings(self.phone), *names}

    def events(self) -> list[dict[str, Any]]:
        """Two registrations, a purchase and an inquiry that quotes its author."""
        national = "0" + self.phone[3:]
        written = f"{national[:3]}-{national[3:7]}-{national[7:]}"
        card = self._registered("pos", self.card_profile, "STORE", "card", written)
        account = self._registered("ec", self.account_profile, "EC", "account", self.phone)
        inquiry = _event("InquiryOpened", "CALL_CENTRE")
        inquiry |= {
            "inquiry_id": str(uuid4()),
            "profile_id": str(self.card_profile),
            "topic": "return/damaged",
        }
        inquiry |= {"text": f"{self.name} です。{written} か {self.email} に連絡してください。"}
        return [card, account, self._purchase(), inquiry]

    def _registered(
        self, system: str, profile: UUID, channel: str, kind: str, phone: str
    ) -> dict[str, Any]:
        values = {kind: f"{system}-{self.number:09d}", "phone": phone, "email": self.email}
        return _event("ProfileRegistered", channel) | {
            "profile_id": str(profile),
            "source_system": system,
            "registered_at": _WHEN,
            "name": self.name,
            "postcode": "150-0001",
            "identifiers": [
                {"kind": kind, "value": value, "verified": True} for kind, value in values.items()
            ],
        }

    def _purchase(self) -> dict[str, Any]:
        line = {
            "line_no": 1,
            "sku": "erasure-sku",
            "quantity": 1,
            "unit_price": 500,
            "net_paid": 500,
        }
        line |= {"location_id": "S001", "fulfilment": "IMMEDIATE", "is_gift": False}
        return _event("PurchaseCompleted", "STORE") | {
            "transaction_id": str(uuid4()),
            "profile_id": str(self.card_profile),
            "location_id": "S001",
            "currency": "JPY",
            "total": 500,
            "tax": 45,
            "business_date": "2026-04-01",
            "receipt_number": f"R{self.number}",
            "lines": [line],
            "tenders": [{"kind": "CASH", "amount": 500}],
        }


def people(count: int) -> list[Person]:
    draw = random.SystemRandom()
    return [
        Person(
            number := draw.randrange(10_000_000, 100_000_000),
            draw.choice(_FAMILY),
            f"{draw.choice(_GIVEN)}{number}",
            uuid4(),
            uuid4(),
        )
        for _ in range(count)
    ]


def _event(kind: str, channel: str) -> dict[str, Any]:
    system = {"STORE": "pos", "EC": "ec"}.get(channel, "crm")
    meta = {"event_id": str(uuid4()), "occurred_at": _WHEN}
    return {"type": kind, "meta": meta | {"producer": {"system": system, "channel": channel}}}
