"""Decides whether people may settle discrepancies: outcomes and events, without any I/O.

The first decision stands. That is so for one that was told as a fact and for one that was accepted
here, whose event may not be applied yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from projections.core.instants import micros
from projections.discrepancies.kinds import KINDS, Resolution
from schemas.fields import Code
from schemas.generated.events import DiscrepancySettled
from schemas.generated.events.parts import Meta, Producer
from services.deciding.outcomes import DecidedBatch, DeniedCommand
from services.discrepancies.outcomes import (
    AnotherStore,
    DiscrepancyDecided,
    DiscrepancyUnknown,
    NotForPeople,
    SettledBefore,
)


class SettleBody(BaseModel):
    """Settles a discrepancy: says which side is right, so that the other side moves.

    `DOCUMENT_RIGHT`: what the document says happened. `DOCUMENT_WRONG`: it did not. `actor`: who
    decided, as a code. `reason_code`: why.
    """

    model_config = ConfigDict(extra="forbid")
    resolution: Resolution
    actor: Code
    reason_code: Code
    dry_run: bool = Field(False, description="Decides and answers, but stores nothing.")


@dataclass(frozen=True, slots=True)
class Settle:
    """A decision about a discrepancy, and the id of the event that would follow.

    `concerns`: whether the caller may decide for a location; None: for what has none.
    """

    discrepancy_id: UUID
    event_id: UUID
    body: SettleBody
    concerns: Callable[[str | None], bool]


@dataclass(slots=True)
class ListedDiscrepancy:
    """A discrepancy as it is listed.

    `settled_with`: the resolution that is applied. `promised`: one that was accepted here.
    """

    kind: str
    subject_id: UUID | None
    event_id: UUID | None
    location_id: str | None
    settled_with: str | None = None
    promised: str | None = None

    def denial(self, resolution: str) -> DeniedCommand | None:
        """Why it cannot be settled so; None if it can."""
        resolutions = KINDS[self.kind].resolutions
        if not resolutions:
            return NotForPeople(kind=self.kind, resolutions=())
        before = self.settled_with or self.promised
        if before is not None:
            return SettledBefore(resolution=before, applied=self.settled_with is not None)
        if resolution not in resolutions:
            return NotForPeople(kind=self.kind, resolutions=resolutions)
        return None


def decide(
    commands: Iterable[Settle], listed: Mapping[UUID, ListedDiscrepancy], now: datetime
) -> DecidedBatch[DiscrepancySettled]:
    """Decides in order: a command sees those before it. `listed`: discrepancies by id."""
    decided = DecidedBatch[DiscrepancySettled]()
    for command in commands:
        about, body = listed.get(command.discrepancy_id), command.body
        if about is None:
            decided.outcomes.append(DiscrepancyUnknown())
            continue
        denial = about.denial(body.resolution)
        if not command.concerns(about.location_id):
            denial = AnotherStore(location_id=about.location_id)
        if denial is not None:
            decided.outcomes.append(denial)
            continue
        if not body.dry_run:
            about.promised = body.resolution
            decided.facts.append(_fact(command, about, now))
        decided.outcomes.append(
            DiscrepancyDecided(
                discrepancy_id=command.discrepancy_id, kind=about.kind,
                resolution=body.resolution, dry_run=body.dry_run,
                event_id=None if body.dry_run else command.event_id,
            )
        )  # fmt: skip
    return decided


def _fact(command: Settle, about: ListedDiscrepancy, now: datetime) -> DiscrepancySettled:
    return DiscrepancySettled(
        meta=Meta(
            event_id=command.event_id.bytes,
            occurred_at=micros(now),
            producer=Producer(system="hitotsu-discrepancies", channel="OTHER"),
        ),
        discrepancy_id=command.discrepancy_id.bytes,
        kind=about.kind,
        resolution=command.body.resolution,
        subject_id=None if about.subject_id is None else about.subject_id.bytes,
        location_id=about.location_id,
        actor=command.body.actor,
        refers=[] if about.event_id is None else [about.event_id.bytes],
        reason_code=command.body.reason_code,
    )
