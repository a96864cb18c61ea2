"""The response body of the route for claims, and the problem for each denial."""

from __future__ import annotations

from uuid import UUID

from pydantic.json_schema import SkipJsonSchema

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
from services.purchases.outcomes import ClaimedBefore, PurchaseClaimed, PurchaseOwned


class ClaimedPurchase(AnswerModel):
    """A claim that was accepted. `min_position=event:<event_id>` waits until it is applied.

    A dry run claims nothing, so `event_id` is absent.
    """

    transaction_id: UUID
    profile_id: UUID
    event_id: UUID | SkipJsonSchema[None] = None
    dry_run: bool
    position: Position


HAS_OWNER = ProblemType(
    "purchase-has-owner", 409, "Not a guest's",
    "The purchase was made under a profile; only a guest's purchase can be claimed.",
    {"same_profile": bool, **POSITION},
)  # fmt: skip
CLAIMED_BEFORE = ProblemType(
    "claimed-before", 409, "Claimed before",
    "An earlier claim has the purchase; `applied` is false while its event is on its way.",
    {"same_profile": bool, "applied": bool, **POSITION},
)  # fmt: skip
PROBLEMS = (NO_SUCH_PURCHASE, HAS_OWNER, CLAIMED_BEFORE)
ANSWERS = OutcomeAnswers(
    accepted={PurchaseClaimed: Yes(ClaimedPurchase, 201)},
    denied={
        PurchaseUnknown: NO_SUCH_PURCHASE,
        PurchaseOwned: HAS_OWNER,
        ClaimedBefore: CLAIMED_BEFORE,
    },
)
