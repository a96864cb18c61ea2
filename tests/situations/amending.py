"""What becomes of a sale without goods that come back: money given back, and amendments."""

from __future__ import annotations

from typing import Any

from tests.situations.facts import EC, STORE, Facts, Sale
from tests.situations.wire import Event


class Amending(Facts):
    """A shop that also gives money back, and edits orders."""

    def lowers(self, sale: Sale, yen: int, number: int = 1, **more: Any) -> Event:
        """Money of a line is given back; the goods stay."""
        return self.tell(
            "PriceAdjusted", STORE, "S001", transaction_id=sale.transaction, location_id="S001",
            currency=more.pop("currency", "JPY"), line_no=number, amount=yen, reason_code="late",
            **more,
        )  # fmt: skip

    def amends(self, sale: Sale, *lines: dict[str, Any], **more: Any) -> Event:
        """The lines of a sale as they are now, all of them."""
        told = [{"line_no": number} | one for number, one in enumerate(lines, 1)]
        total = more.pop("total", sum(one["net_paid"] for one in told))
        at, currency = sale.event["location_id"], more.pop("currency", sale.event["currency"])
        return self.tell(
            "PurchaseAmended", EC, at, transaction_id=sale.transaction, location_id=at,
            currency=currency, total=total, lines=told, **more,
        )  # fmt: skip
