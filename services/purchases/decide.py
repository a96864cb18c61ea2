"""Decides claims of guests' purchases: outcomes and events, without any I/O.

The first claim gets the purchase: a claim that arrived as an event, or one that was accepted here
and whose event may not be applied yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from projections.core.instants import micros
from schemas.fields import GivenId, Short
from schemas.generated.events import PurchaseAttributed
from schemas.generated.events.parts import Meta, Producer
from schemas.generated.inputs.vocabulary import PointsTreatment
from services.deciding.outcomes import DecidedBatch, DeniedCommand, PurchaseUnknown
from services.purchases.outcomes import ClaimedBefore, PurchaseClaimed, PurchaseOwned


class ClaimBody(BaseModel):
    """Makes a guest's purchase the purchase of the profile, which may be unknown so far.

    `points_treatment`: what the claim does to points. `proof`: what was shown, e.g. receipt.
    """

    model_config = ConfigDict(extra="forbid")
    profile_id: GivenId
    points_treatment: PointsTreatment = "NONE"
    proof: Short | None = None
    dry_run: bool = Field(False, description="Decides and answers, but stores nothing.")


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the purchase `transaction_id`, and the id of the event that would follow."""

    transaction_id: UUID
    event_id: UUID
    body: ClaimBody


@dataclass(slots=True)
class Claimable:
    """A known purchase. `owner`: the profile that bought it; None for a guest's.

    `claimed_by`: the profile whose claim is applied. `promised_to`: the profile whose claim was
    accepted here; its event may be applied too. None if there is no such claim.
    """

    owner: UUID | None = None
    claimed_by: UUID | None = None
    promised_to: UUID | None = None

    def denial(self, profile_id: UUID) -> DeniedCommand | None:
        """Why the profile cannot have the purchase; None if it can."""
        if self.owner is not None:
            return PurchaseOwned(same_profile=self.owner == profile_id)
        first = self.claimed_by or self.promised_to
        if first is None:
            return None
        return ClaimedBefore(
            same_profile=first == profile_id, applied=self.claimed_by is not None
        )  # fmt: skip


def decide(
    claims: Iterable[Claim], purchases: dict[UUID, Claimable], now: datetime
) -> DecidedBatch[PurchaseAttributed]:
    """Decides the claims in order: a claim sees those before it. `purchases`: the known ones."""
    decided = DecidedBatch[PurchaseAttributed]()
    for claim in claims:
        purchase = purchases.get(claim.transaction_id)
        if purchase is None:
            decided.outcomes.append(PurchaseUnknown())
            continue
        body = claim.body
        denial = purchase.denial(body.profile_id)
        if denial is not None:
            decided.outcomes.append(denial)
            continue
        if not body.dry_run:
            purchase.promised_to = body.profile_id
            decided.facts.append(_fact(claim, now))
        decided.outcomes.append(
            PurchaseClaimed(
                transaction_id=claim.transaction_id, profile_id=body.profile_id,
                event_id=None if body.dry_run else claim.event_id, dry_run=body.dry_run,
            )
        )  # fmt: skip
    return decided


def _fact(claim: Claim, now: datetime) -> PurchaseAttributed:
    return PurchaseAttributed(
        meta=Meta(
            event_id=claim.event_id.bytes,
            occurred_at=micros(now),
            producer=Producer(system="hitotsu-purchases", channel="OTHER"),
        ),
        transaction_id=claim.transaction_id.bytes,
        profile_id=claim.body.profile_id.bytes,
        points_treatment=claim.body.points_treatment,
        proof=claim.body.proof,
    )
