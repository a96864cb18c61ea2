"""Reads of what a purchase's points are judged by."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from projections.core import NotFound, Read
from projections.core.instants import instant
from projections.point_accrual import basis, giving_back, projection

BASIS = """
select profile_id, occurred_at, channel, location_id, currency, line_nos, skus, quantities, paid,
    points_paid
from purchase_basis where transaction_id = %(transaction_id)s
order by occurred_at, event_id limit 1
"""
RETURNS = """
select line_nos, quantities, void from purchase_basis_return
where transaction_id = %(transaction_id)s
"""


class BasisLine(BaseModel):
    """One line: units sold and returned, and what was paid for all of them."""

    line_no: int
    sku: str
    quantity: int
    returned: int
    paid: int = Field(description="In minor units of the currency.")


class Basis(BaseModel):
    """A purchase as a program's rules see it."""

    transaction_id: UUID
    profile_id: UUID | None
    occurred_at: datetime
    channel: str
    location_id: str
    currency: str
    points_paid: int = Field(description="Paid with points, as money, in minor units.")
    voided: bool
    lines: list[BasisLine]


@projection.query("/v1/purchases/{transaction_id}/points-basis", scope="points:read")
async def basis_of(read: Read, transaction_id: UUID) -> Basis:
    """What was bought and came back: the ground on which points were given and taken."""
    rows = await read.select([basis], BASIS, transaction_id=transaction_id)
    if not rows:
        raise NotFound(f"no purchase {transaction_id} was ever seen")
    sale = rows[0]
    back = await read.select([giving_back], RETURNS, transaction_id=transaction_id)
    voided = any(row["void"] for row in back)
    returned: Counter[int] = Counter()
    for row in back:
        if not row["void"]:
            returned.update(dict(zip(row["line_nos"], row["quantities"])))
    columns = zip(sale.pop("line_nos"), sale.pop("skus"), sale.pop("quantities"), sale.pop("paid"))
    lines = [
        BasisLine(
            line_no=line_no, sku=sku, quantity=quantity, paid=paid,
            returned=quantity if voided else min(quantity, returned[line_no]),
        )
        for line_no, sku, quantity, paid in columns
    ]  # fmt: skip
    at = instant(sale.pop("occurred_at"))
    return Basis(**sale, transaction_id=transaction_id, occurred_at=at, voided=voided, lines=lines)
