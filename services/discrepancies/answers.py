"""The response body of the route for decisions, and the problem for each denial."""

from __future__ import annotations

from uuid import UUID

from pydantic.json_schema import SkipJsonSchema

from services.deciding.answers import POSITION, OutcomeAnswers, Position, Yes
from services.discrepancies.outcomes import (
    AnotherStore,
    DiscrepancyDecided,
    DiscrepancyUnknown,
    NotForPeople,
    SettledBefore,
)
from services.http.operation import AnswerModel
from services.http.problem_type import ProblemType


class SettledDiscrepancy(AnswerModel):
    """A decision that was accepted. `min_position=event:<event_id>` waits until it is applied.

    A dry run settles nothing, so `event_id` is absent.
    """

    discrepancy_id: UUID
    kind: str
    resolution: str
    event_id: UUID | SkipJsonSchema[None] = None
    dry_run: bool
    position: Position


UNKNOWN = ProblemType(
    "discrepancy-unknown", 409, "No such discrepancy",
    "No discrepancy has this id: none ever had, or another fact has made it fit.", POSITION,
)  # fmt: skip
SETTLED = ProblemType(
    "discrepancy-settled", 409, "Settled before",
    "Somebody decided it before; `applied` is false while that event is on its way.",
    {"resolution": str, "applied": bool, **POSITION},
)  # fmt: skip
NOT_FOR_PEOPLE = ProblemType(
    "discrepancy-lasts", 409, "Not settled so",
    "No such decision settles a discrepancy of this kind; `resolutions` lists those that do.",
    {"kind": str, "resolutions": list[str], **POSITION},
)  # fmt: skip
ANOTHER_STORE = ProblemType(
    "discrepancy-of-another-store", 403, "Another store's",
    "The token is limited to stores, and the discrepancy concerns another, or none.", POSITION,
)  # fmt: skip
PROBLEMS = (UNKNOWN, SETTLED, NOT_FOR_PEOPLE, ANOTHER_STORE)
ANSWERS = OutcomeAnswers(
    accepted={DiscrepancyDecided: Yes(SettledDiscrepancy, 201)},
    denied={
        DiscrepancyUnknown: UNKNOWN,
        SettledBefore: SETTLED,
        NotForPeople: NOT_FOR_PEOPLE,
        AnotherStore: ANOTHER_STORE,
    },
)
