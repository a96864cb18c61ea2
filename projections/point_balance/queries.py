"""Reads of point balances."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel

from projections.core import Member, Read
from projections.point_balance import balance, projection


class ProfilePoints(BaseModel):
    """What one of the member's profiles holds."""

    profile_id: UUID
    balance: int


class Points(BaseModel):
    """What the member holds over all profiles, whatever the channel."""

    balance: int
    earned: int
    redeemed: int
    taken_back: int
    profiles: list[ProfilePoints]


@projection.query("/v1/members/{member_id}/points", scope="points:read", part="balance")
async def points_of(read: Read, member: Member) -> Points:
    """One balance: points earned online are spent in the store."""
    rows = await read.rows(balance, profile_id=list(member.profile_ids))
    return Points(
        balance=sum(row["balance"] for row in rows),
        earned=sum(row["earned"] for row in rows),
        redeemed=sum(row["redeemed"] for row in rows),
        taken_back=sum(row["taken_back"] for row in rows),
        profiles=[
            ProfilePoints(profile_id=row["profile_id"], balance=row["balance"]) for row in rows
        ],
    )
