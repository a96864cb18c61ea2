"""The response body of the route for returns, and the problem for each denial."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from schemas.currencies import MinorUnits
from schemas.measures import Units
from services.deciding.answers import (
    NO_SUCH_PURCHASE,
    POSITION,
    OutcomeAnswers,
    Position,
    Yes,
)
from services.deciding.outcomes import PurchaseUnknown
from services.http.operation import AnswerModel
from services.http.problem_type import ProblemType
from services.points.holds.answers import UNKNOWN_PROFILE, Allocation
from services.points.holds.outcomes import ProfileUnknown
from services.points.program.rules import ReturnPolicy
from services.points.returns.outcomes import (
    LineUnknown,
    ProgramUnknown,
    PurchaseOfGuest,
    PurchaseOfOtherMember,
    ReturnExceedsSale,
    ReturnSettled,
    UnitDiffers,
)


class TakenBack(AnswerModel):
    """Points that the returned units had earned (`due`), split by how they are taken back.

    `pending`, `active`: from the purchase's own lots. `lapsed`: expired before. `other`: from other
    lots. `debt`: owed until later earnings. `forgiven`: not taken. The rest is `withheld`.
    """

    due: int
    pending: int
    active: int
    lapsed: int
    other: int
    debt: int
    forgiven: int
    points: int = Field(
        description="Points that the event takes: `due` without `withheld`, `forgiven`, and points"
        " whose expiry an event has recorded."
    )
    allocations: list[Allocation]


class Withheld(AnswerModel):
    """Points that cannot be taken back; `value`: minor units to deduct from the refund instead.

    `currency`: of the value: the refund's, or the program's if its rules name no rate for that.
    """

    points: int
    value: int
    currency: str
    minor_units: MinorUnits


class GivenBack(AnswerModel):
    """Points that had paid for the returned units, split by how they are given back.

    `unnamed`: to the profile, because it is not known from which lot they were taken.
    """

    points: int
    allocations: list[Allocation]
    graced: list[Allocation] = Field(
        description="Given back in new lots that expire at `graced_until`, since the lots from "
        "which they were taken expire earlier; each entry names the old lot."
    )
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


NO_OWNER = ProblemType(
    "no-owner", 409, "Conflict",
    "The purchase is a guest's: no profile earned or spent points for it.",
    POSITION,
)  # fmt: skip
OTHER_OWNER = ProblemType(
    "other-owner", 409, "Conflict", "The purchase belongs to another member.", POSITION
)
NO_SUCH_PROGRAM = ProblemType(
    "program-not-found", 404, "Not Found", "There is no points program of this name.", POSITION
)
NO_SUCH_LINE = ProblemType(
    "no-such-line", 409, "Conflict", "The purchase has no such line; see `line_no`.",
    {"line_no": int, **POSITION},
)  # fmt: skip
MORE_THAN_SOLD = ProblemType(
    "more-than-sold", 409, "More than was sold",
    "More units are returned than the line has left; see `returnable`.",
    {"line_no": int, "returnable": Units, **POSITION},
)  # fmt: skip
OTHER_UNIT = ProblemType(
    "other-unit", 409, "Conflict",
    "The line is counted in another unit than the returned quantity; see `unit`.",
    {"line_no": int, "unit": str | None, **POSITION},
)  # fmt: skip
PROBLEMS = (
    NO_SUCH_PURCHASE, NO_SUCH_PROGRAM, NO_OWNER, OTHER_OWNER, NO_SUCH_LINE, OTHER_UNIT,
    MORE_THAN_SOLD,
)  # fmt: skip
ANSWERS = OutcomeAnswers(
    accepted={ReturnSettled: Yes(ReturnedPoints)},
    denied={
        ProfileUnknown: UNKNOWN_PROFILE,
        PurchaseUnknown: NO_SUCH_PURCHASE,
        ProgramUnknown: NO_SUCH_PROGRAM,
        PurchaseOfGuest: NO_OWNER,
        PurchaseOfOtherMember: OTHER_OWNER,
        LineUnknown: NO_SUCH_LINE,
        UnitDiffers: OTHER_UNIT,
        ReturnExceedsSale: MORE_THAN_SOLD,
    },
)
