"""Rows P5, P6 and P10 of the table Codes, people, inquiries."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from tests.situations.answers import Shop
from tests.situations.rows import row

SMALL, GREAT = "b greater", "b smaller"


def two_members(order: str) -> tuple[UUID, UUID]:
    """Two new members whose ids are in this order."""
    low, high = sorted((uuid4(), uuid4()))
    return (low, high) if order == SMALL else (high, low)


@row("P5")
@pytest.mark.parametrize("told", ["attributed", "written"])
@pytest.mark.parametrize("order", [SMALL, GREAT])
def test_p5_an_inquiry_turns_out_to_be_another_customers(shop: Shop, order: str, told: str) -> None:
    """P5. Given: inquiry opened for A, moved to B (whichever id is greater).
    Right: B's, everywhere.
    """
    a, b = two_members(order)
    inquiry = shop.inquires(a)
    if told == "attributed":
        shop.tell(
            "InquiryAttributed", "CALL_CENTRE", inquiry_id=inquiry, from_profile_id=a,
            profile_id=b, attributed_by="staff",
        )  # fmt: skip
    else:
        shop.writes(inquiry, b)
    assert shop.inquiry(inquiry)["inquiry"]["profile_id"] == str(b)
    assert (shop.inquiries(a), shop.inquiries(b)) == ([], [inquiry])


@row("P6")
def test_p6_a_message_after_closing_opens_an_inquiry_again(shop: Shop) -> None:
    """P6. Given: message after closing. Right: reopened."""
    hanako = shop.member()
    inquiry = shop.inquires(hanako)
    shop.closes(inquiry, hanako)
    assert shop.inquiry(inquiry)["inquiry"]["closed_at"] is not None
    shop.writes(inquiry, hanako)
    found = shop.inquiry(inquiry)
    assert found["inquiry"]["closed_at"] is None
    assert len(found["conversation"]) == 2


@row("P6")
def test_p6_an_inquiry_is_merged_into_another(shop: Shop) -> None:
    """P6. Given: inquiry merged into another. Right: one conversation."""
    hanako = shop.member()
    first, second = shop.inquires(hanako), shop.inquires(hanako)
    shop.writes(second, hanako)
    shop.tell(
        "InquiryMerged", "CALL_CENTRE", inquiry_id=second, into_inquiry_id=first,
        profile_id=hanako, merged_by="staff",
    )  # fmt: skip
    assert len(shop.inquiry(first)["conversation"]) == 3
    assert len(shop.inquiry(second)["conversation"]) == 3
    assert shop.inquiries(hanako) == [first]


@row("P10")
def test_p10_an_unknown_member(shop: Shop) -> None:
    """P10. Given: unknown member's points; unknown member. Right: 404 both."""
    unknown = uuid4()
    for path in ("", "/points", "/points/entries", "/purchases", "/suppressions", "/inquiries"):
        assert shop.wire.get(f"/v1/members/{unknown}{path}").status_code == 404
