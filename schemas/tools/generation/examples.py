"""Generates a JSON example of every event in producers' topics, for a small shop in Shibuya."""

import json
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from schemas.declarations import Description, Enum, Field, RecordType
from schemas.tools.generation.inputs import producer_topics

_PERSONAL = {
    "name": "山田 太郎",
    "kana": "ヤマダ タロウ",
    "postcode": "150-0001",
    "address": "東京都渋谷区神宮前1-2-3 コーポ青葉202",
    "birth_date": "1985-04-12",
    "free_text": "土曜日に買ったマグカップの取っ手が欠けていました。交換できますか。",
}
_WORDS = {
    "system": "pos",
    "source_system": "pos",
    "store_id": "S001",
    "terminal_id": "T01",
    "location_id": "S001",
    "from_location_id": "W01",
    "to_location_id": "S001",
    "sku": "4901234567894",
    "product_id": "P-1001",
    "currency": "JPY",
    "receipt_number": "0001-20260401-0042",
    "name": "マグカップ 白",
    "category": "キッチン/マグカップ",
    "brand": "青葉陶器",
    "size": "300 ml",
    "colour": "白",
    "topic": "return/damaged",
    "reason": "お客様都合",
    "reason_code": "customer_request",
    "proof": "receipt",
    "actor": "鈴木 (本部)",
    "answered_by": "佐藤 (お客様相談室)",
    "classified_by": "rule:damaged",
    "resolution": "exchanged",
    "reference": "納品書 20260401-17",
    "document_id": "D-20260401-17",
    "staff_code": "E0042",
    "register_code": "R1",
    "registration_number": "T1234567890123",
    "assigned_to": "E0042",
    "assigned_by": "E0007",
    "merged_by": "E0042",
    "attributed_by": "E0042",
    "kind": "over_return",
    "purpose": "email_marketing",
    "contact_channel": "email",
    "text_version": "2026-04",
    "campaign_id": "spring-2026",
    "offer": "キッチン用品 10% OFF",
    "staff_id": "E0042",
    "context": "login",
    "policy": "within_balance",
    "program_id": "hitotsu-points",
    "rule_set": "identity",
    "policy_id": "need-mugs",
    "version": "2026-04-01",
    "rule_version": "2026-04-01",
    "rules": '{"earn": [{"points": 1, "per": 100}]}',
    "time_zone": "Asia/Tokyo",
    "day_starts_at": "05:00",
}
_WORDS_OF = {
    ("InquiryClosed", "reason_code"): "exchanged",
    ("DiscrepancySettled", "resolution"): "DOCUMENT_RIGHT",
    ("DiscrepancySettled", "actor"): "E0007",
    ("MatchRulesActivated", "rules"): '{"identifiers": {"card": {"class": "unique"},'
    ' "phone": {"class": "strong", "limit": 10, "window_days": 365}}}',
}
_NUMBERS = {
    "terminal_sequence": 42,
    "terminal_epoch": 0,
    "number": 43,
    "first_number": 1,
    "last_number": 42,
    "count": 42,
    "quantity": 1,
    "unit_price": 1650,
    "net_paid": 1650,
    "total": 1650,
    "tax": 150,
    "amount": 1650,
    "refund": 1650,
    "list_price": 1650,
    "points": 16,
    "line_no": 1,
    "withheld": 0,
    "discount": 0,
    "rate_basis_points": 1000,
    "net": 1500,
    "discrepancy": 0,
    "safety_stock": 2,
    "store_share": 1,
    "company_threshold": 0,
    "interval_days": 180,
    "weight": 12.5,
    "latitude": 35.6595,
    "longitude": 139.7005,
}
_CHOICES = {
    "Channel": "STORE",
    "Fulfilment": "IMMEDIATE",
    "Disposition": "QUALITY_CONTROL",
    "TenderKind": "CASH",
    "LocationKind": "STORE",
    "ReceiptUse": "TRAINING",
    "NeedKind": "DURABLE",
    "DecidedBy": "PERSON",
    "ContactKind": "CALL",
    "MessageAuthor": "CUSTOMER",
}
_INSTANTS = {
    "occurred_at": "2026-04-01T10:15:00+09:00",
    "registered_at": "2026-04-01T10:10:00+09:00",
    "counted_at": "2026-04-01T08:00:00+09:00",
    "valid_from": "2026-04-01T00:00:00+09:00",
    "active_from": "2026-04-08T00:00:00+09:00",
    "expires_at": "2027-03-31T23:59:59+09:00",
}
# what an ordinary producer does not send
_LEFT_OUT = frozenset(
    {
        "causation_id", "hold_id", "triggered_by", "returned_by", "from_profile_id",
        "components", "lot", "serial", "unit", "scale", "zone", "selling_zone", "document_line",
        "tax_rate", "tax_included", "discounts",
    }
)  # fmt: skip
_LISTS = {"evidence": ["同じ電話番号"], "cleared": ["address"]}
_IDENTIFIERS = [
    {"kind": "card", "value": "2900 1234 5678", "verified": True},
    {"kind": "phone", "value": "090-1234-5678", "verified": True},
    {"kind": "email", "value": "taro.yamada@example.co.jp", "verified": True},
]


def files(description: Description) -> dict[str, str]:
    """Generated files by path below schemas/."""
    return {
        f"examples/{name}.json": json.dumps(
            example(description, name), ensure_ascii=False, indent=2
        )
        + "\n"
        for topic in producer_topics()
        for name in topic.events
    }


def example(description: Description, event: str) -> dict[str, Any]:
    """The example of an event, as a producer sends it."""
    record = description.events[event]
    return {"type": event, **_Shop(description, event).record(record)}


class _Shop:
    def __init__(self, description: Description, event: str) -> None:
        self.description = description
        self.event = event

    def record(self, record: RecordType) -> dict[str, Any]:
        return {
            field.name: self._value(field)
            for field in record.fields
            if not field.blind and not self._left_out(field)
        }

    def _left_out(self, field: Field) -> bool:
        """Whether the example omits a field: references to causes and holds would confuse readers,
        few sales need what ordinary goods do not have, and producers should not send fields that
        are moved to others.
        """
        return (
            field.name in _LEFT_OUT
            or (field.nullable and field.name in ("document_id", "order_id", "expected_at"))
            or (self.event == "NeedPolicySet" and field.name == "sku")
            or (self.event == "PointsEarned" and field.name in ("currency", "rate"))
            or field.moved_to is not None
        )

    def _value(self, field: Field) -> Any:
        if field.pii:
            return _PERSONAL[field.pii]
        if field.of == "Identifier":
            return _IDENTIFIERS if field.shape == "array" else _IDENTIFIERS[1]
        if field.shape == "record":
            return self.record(self.description.parts[str(field.of)])
        if field.shape == "array":
            item = self.description.parts.get(str(field.of))
            return [self.record(item)] if item else _LISTS.get(field.name, [])
        if field.shape == "id":
            return self._id(field.name)
        return self._plain(field)

    def _plain(self, field: Field) -> Any:
        if field.meaning == "instant":
            return _INSTANTS.get(field.name, _INSTANTS["occurred_at"])
        if field.meaning == "date":
            return "2026-04-01"
        if field.shape == "enum":
            return self._choice(self.description.enums[str(field.of)], field.name)
        if field.shape == "boolean":
            return field.default or False
        if field.shape == "string":
            return _WORDS_OF.get((self.event, field.name)) or _WORDS.get(field.name, field.name)
        return _NUMBERS.get(field.name, 1)

    def _choice(self, enum: Enum, field: str) -> str:
        if field == "to_state":
            return "DAMAGED"
        return _CHOICES.get(enum.name) or enum.symbols[0]

    def _id(self, field: str) -> str:
        """The id for a field: event ids differ by event, other ids are the same in all examples."""
        return str(uuid5(NAMESPACE_URL, self.event if field == "event_id" else field))
