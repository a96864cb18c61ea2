"""The queries about a member's purchases, and about items that these suppress."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from projections.catalog import item, need_policy, scope_of
from projections.core import Read, Subject
from projections.core.instants import Moment, instant, micros
from projections.purchase_suppression import projection
from projections.purchase_suppression.needs import (
    Catalogue,
    Suppression,
    suppressions,
    unreturned_lines,
)
from projections.purchases import claim, giving_back, purchase

RECENT = 20


class Candidates(BaseModel):
    """Candidate items for a recommendation; `at`: when they are shown (null: now)."""

    model_config = ConfigDict(extra="forbid")
    member_id: UUID
    candidates: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field(max_length=1000)
    at: Moment | None = None


class Dropped(BaseModel):
    """An item that should not be recommended, and why: the purchase of `because_of`.

    `until` null: for ever.
    """

    sku: str
    reason: str
    bought_at: datetime
    until: datetime | None
    because_of: str


class Filtered(BaseModel):
    """The candidates to show (`kept`), and those not to show (`dropped`)."""

    kept: list[str]
    dropped: list[Dropped]


class PurchaseListLine(BaseModel):
    """A line of a purchase; `returned`: how many of its units were returned."""

    line_no: int
    sku: str
    quantity: int
    returned: int


class Purchase(BaseModel):
    """A purchase of any channel; `total` in minor units of the currency."""

    transaction_id: UUID
    occurred_at: datetime
    channel: str
    location_id: str
    total: int
    lines: list[PurchaseListLine]


@projection.query("/v1/recommendations/filter", scope="recommendations:read", method="POST")
async def filter_candidates(read: Read, member: Subject, body: Candidates) -> Filtered:
    """Splits candidate items into those to recommend and those not to, with the reasons."""
    at = micros(body.at or datetime.now(UTC))
    purchases, returns = await _history(read, member)
    lines = unreturned_lines(purchases, returns, at)
    catalogue = await _catalogue(read, set(body.candidates), {line.sku for line in lines}, at)
    found = suppressions(body.candidates, lines, catalogue, at)
    return Filtered(
        kept=[sku for sku in body.candidates if sku not in found],
        dropped=[_dropped(found[sku]) for sku in dict.fromkeys(body.candidates) if sku in found],
    )


@projection.query(
    "/v1/members/{member_id}/suppressions", scope="recommendations:read", part="suppressions"
)
async def suppressions_of(read: Read, member: Subject, at: Moment | None = None) -> list[Dropped]:
    """The bought items that should not be recommended to the member at `at` (default: now)."""
    when = micros(at or datetime.now(UTC))
    purchases, returns = await _history(read, member)
    lines = unreturned_lines(purchases, returns, when)
    skus = {line.sku for line in lines}
    found = suppressions(skus, lines, await _catalogue(read, skus, skus, when), when)
    return [_dropped(found[sku]) for sku in sorted(found)]


@projection.query("/v1/members/{member_id}/purchases", scope="members:read", part="purchases")
async def purchases_of(read: Read, member: Subject) -> list[Purchase]:
    """The member's last 20 purchases over all channels, newest first."""
    purchases, returns = await _history(read, member)
    back: dict[tuple[Any, int], int] = {}
    for row in returns:
        for line_no, quantity in zip(row["line_nos"], row["quantities"], strict=True):
            back[row["transaction_id"], line_no] = (
                back.get((row["transaction_id"], line_no), 0) + quantity
            )
    newest = sorted(purchases, key=lambda row: (row["occurred_at"], row["event_id"]), reverse=True)[
        :RECENT
    ]
    return [_purchase(row, back) for row in newest]


async def _history(
    read: Read, member: Subject
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    profiles = list(member.ids)
    claims, purchases, returns = await read.together(
        (claim, {"profile_id": profiles}),
        (purchase, {"owner_id": profiles}),
        (giving_back, {"owner_id": profiles}),
    )
    if claims:
        claimed = {"owner_id": [row["transaction_id"] for row in claims]}
        bought, returned = await read.together((purchase, claimed), (giving_back, claimed))
        return purchases + bought, returns + returned
    return purchases, returns


async def _catalogue(read: Read, candidates: set[str], bought: set[str], at: int) -> Catalogue:
    """The catalogue of these items, with policies of candidates that a purchase may suppress."""
    items = await read.rows(item, sku=candidates | bought)
    categories: dict[str, set[str]] = defaultdict(set)
    for row in items:
        categories[row["sku"]].add(row["category"])
    met = {category for sku in bought for category in categories[sku]}
    scopes = {scope_of(None, None), *(scope_of(None, category) for category in met)}
    scopes |= {
        scope_of(sku, None)
        for sku in candidates
        if sku in bought or not met.isdisjoint(categories[sku])
    }
    return Catalogue(items, await read.rows(need_policy, scope=scopes), at)


def _dropped(suppression: Suppression) -> Dropped:
    return Dropped(
        sku=suppression.sku,
        reason=suppression.reason,
        bought_at=instant(suppression.bought_at),
        until=None if suppression.until is None else instant(suppression.until),
        because_of=suppression.because_of,
    )


def _purchase(row: dict[str, Any], back: dict[tuple[Any, int], int]) -> Purchase:
    transaction = row["transaction_id"]
    lines = [
        PurchaseListLine(
            line_no=line_no,
            sku=sku,
            quantity=quantity,
            returned=back.get((transaction, line_no), 0),
        )
        for line_no, sku, quantity in zip(
            row["line_nos"], row["skus"], row["quantities"], strict=True
        )
    ]
    return Purchase(
        transaction_id=transaction,
        occurred_at=instant(row["occurred_at"]),
        channel=row["channel"],
        location_id=row["location_id"],
        total=row["total"],
        lines=lines,
    )
