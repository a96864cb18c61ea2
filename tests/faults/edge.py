"""How does a producer say a fact in JSON? For the facts that hold nothing personal."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.faults.shop import Fact

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = {
    "occurred_at", "counted_at", "valid_from", "active_from", "expires_at", "expected_at",
}  # fmt: skip
DATES = {"business_date", "expired_on"}
CHANGES = {"StockAdjusted", "PointsAdjusted"}
OPEN = ("Purchase", "Points", "Stock", "Allocation", "Transfer", "Order", "Price")


def said(fact: Fact) -> bytes | None:
    """One line of JSON, or None for what is sealed or decided by Hitotsu itself."""
    name, record = fact
    if not name.startswith(OPEN) or name == "StockPolicySet":
        return None
    if name in CHANGES and 0 in (record.get("quantity"), record.get("points")):
        # the edge refuses a change that changes nothing
        return None
    shown = _shown(record)
    return json.dumps({"type": name, **shown}, ensure_ascii=False).encode()


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in record.items() if value is not None}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _shown(value)
    if isinstance(value, list):
        return [_value(name, one) for one in value]
    if isinstance(value, bytes):
        return str(UUID(bytes=value))
    if name in INSTANTS:
        return (EPOCH + timedelta(microseconds=value)).isoformat()
    return date.fromordinal(EPOCH.toordinal() + value).isoformat() if name in DATES else value
