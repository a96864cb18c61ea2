"""The response body of the route for returns, and the problem for each denial."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from services.deciding.answers import POSITION, OutcomeAnswers, Position, Yes
from services.http.operation import AnswerModel
from services.http.problem_type import ProblemType
from services.points.holds.answers import UNKNOWN_PROFILE, Allocation
from services.points.holds.outcomes import ProfileUnknown
from services.points.program.rules import ReturnPolicy
from services.points.returns.outcomes import (
    LineUnknown,
    PurchaseOfGuest,
    PurchaseOfOtherMember,
    PurchaseUnknown,
    ReturnExceedsSale,
    ReturnSettled,
)


class TakenBack(AnswerModel):
    """Points that the purchase had earned, by how they were taken back."""

    due: int
    pending: int
    active: int
    lapsed: int
    other: int
    debt: int
    forgiven: int
    points: int = Field(description="What the account loses.")
    allocations: list[Allocation]


class Withheld(AnswerModel):
    """What is deducted from the refund instead, in points and in money."""

    points: int
    value: int


class GivenBack(AnswerModel):
    """Points with which the purchase was paid, by how they are given back."""

    points: int
    allocations: list[Allocation]
    graced: list[Allocation] = Field(description="Whose lots were over: they get new ones.")
    graced_until: datetime | None
    unnamed: int


class ReturnedPoints(AnswerModel):
    """The effect of a return on points."""

    transaction_id: UUID
    policy: ReturnPolicy
    rule_version: str | None
    taken_back: TakenBack
    withheld: Withheld
    given_back: GivenBack
    event_ids: list[UUID]
    dry_run: bool
    position: Position


NO_SUCH_PURCHASE = ProblemType(
    "purchase-not-found", 404, "Not Found", "No such purchase is known, or not yet.", POSITION
)
NO_OWNER = ProblemType(
    "no-owner", 409, "Conflict", "A guest's purchase has no points to take or give back.",
    POSITION,
)  # fmt: skip
OTHER_OWNER = ProblemType(
    "other-owner", 409, "Conflict", "The purchase is another member's.", POSITION
)
NO_SUCH_LINE = ProblemType(
    "no-such-line", 409, "Conflict", "The purchase has no such line; see `line_no`.",
    {"line_no": int, **POSITION},
)  # fmt: skip
MORE_THAN_SOLD = ProblemType(
    "more-than-sold", 409, "More than was sold",
    "Fewer units of the line can still come back; see `returnable`.",
    {"line_no": int, "returnable": int, **POSITION},
)  # fmt: skip
PROBLEMS = (NO_SUCH_PURCHASE, NO_OWNER, OTHER_OWNER, NO_SUCH_LINE, MORE_THAN_SOLD)
ANSWERS = OutcomeAnswers(
    accepted={ReturnSettled: Yes(ReturnedPoints)},
    denied={
        ProfileUnknown: UNKNOWN_PROFILE,
        PurchaseUnknown: NO_SUCH_PURCHASE,
        PurchaseOfGuest: NO_OWNER,
        PurchaseOfOtherMember: OTHER_OWNER,
        LineUnknown: NO_SUCH_LINE,
        ReturnExceedsSale: MORE_THAN_SOLD,
    },
)
